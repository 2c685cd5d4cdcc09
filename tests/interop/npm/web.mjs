// A game in Chromium or Firefox, moved by tests/web: a JSON command a line on standard input, and for each a JSON
// answer a line on standard output. The first command launches; the end of the input closes.
import puppeteer from 'puppeteer-core';
import { answerAll } from './commands.mjs';
import { serve } from './site.mjs';

const TIMEOUT = 20_000;

let browser;
let server;
let isFirefox;
// The tabs that the test opened, by the name that it gave them, and what the game in each has told.
const pages = new Map();
const told = new Map();
const sessions = new WeakMap();

function listen(name, page) {
  pages.set(name, page);
  const lines = told.get(name) ?? [];
  told.set(name, lines);
  page.setDefaultTimeout(TIMEOUT);
  page.on('console', (message) => {
    try {
      lines.push(JSON.parse(message.text()));
    } catch {
      lines.push({ told: 'console', value: message.text() });
    }
  });
  page.on('pageerror', (error) => {
    // Firefox reports a socket that does not open as an error of the page.
    const isOfSocket = /^Error: Firefox can.t establish a connection to the server at ws:/.test(error);
    if (!isOfSocket) lines.push({ told: 'panic', value: String(error) });
  });
}

// The page whose address begins so, once it is there.
async function tab(prefix) {
  const target = await browser.waitForTarget(
    (target) => target.type() === 'page' && target.url().startsWith(prefix),
    { timeout: TIMEOUT },
  );
  return target.page();
}

// Runs code in a page without the player's hand, which puppeteer's own `evaluate` lends to it.
async function run(page, expression) {
  if (isFirefox) return runInFirefox(page, expression);
  const session = await page.createCDPSession();
  const options = { expression, awaitPromise: true, returnByValue: true, userGesture: false };
  const { result, exceptionDetails } = await session.send('Runtime.evaluate', options);
  await session.detach();
  if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
  return result.value;
}

async function runInFirefox(page, expression) {
  const text = `(async () => JSON.stringify((await (0, eval)(${JSON.stringify(expression)})) ?? null))()`;
  const result = await page.mainFrame().browsingContext.defaultRealm.evaluate(text, true);
  if (result.type === 'exception') throw new Error(result.exceptionDetails.text);
  return JSON.parse(result.result.value);
}

// Puppeteer closes the frames of a page first, which Firefox refuses.
async function close(page) {
  if (!isFirefox) return page.close();
  const { id, userContext } = page.mainFrame().browsingContext;
  return userContext.browser.session.send('browsingContext.close', { context: id });
}

async function frameOf(page, prefix) {
  return page.waitForFrame((frame) => frame.url().startsWith(prefix));
}

// Does something in a payment page, which may reload itself meanwhile: what is asked of a page that leaves fails.
async function whileItReloads(work) {
  for (const end = Date.now() + TIMEOUT; ; ) {
    try {
      return await work();
    } catch (error) {
      if (Date.now() > end || error.name === 'TimeoutError') throw error;
    }
  }
}

// Presses a button or a link by its text. The element's own click would be without the player's hand.
async function press(where, text) {
  const button = await where.waitForSelector(`::-p-xpath(//*[self::button or self::a][normalize-space()="${text}"])`);
  await button.click();
}

// A test that were easier than life would prove nothing: pop-ups are blocked, and hidden tabs are slowed down.
const CHROMIUM = {
  ignoreDefaultArgs: [
    '--disable-popup-blocking',
    '--disable-background-timer-throttling',
    '--disable-backgrounding-occluded-windows',
    '--disable-renderer-backgrounding',
    '--disable-ipc-flooding-protection',
  ],
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-component-update'],
};
const firefox = (profile) => ({
  browser: 'firefox',
  extraPrefsFirefox: { 'dom.disable_open_during_load': true },
  env: { ...process.env, HOME: profile },
});

const commands = {
  async launch({ engine, executable, profile, root }) {
    server ??= await serve(root);
    isFirefox = engine === 'firefox';
    browser = await puppeteer.launch({
      executablePath: executable,
      userDataDir: profile,
      headless: true,
      handleSIGINT: false,
      ...(isFirefox ? firefox(profile) : CHROMIUM),
    });
    return server.address().port;
  },
  // Opens a tab of this name. An earlier one is closed before the new one loads.
  async open({ name, url, code }) {
    const before = pages.get(name);
    const first = pages.size === 0 ? (await browser.pages())[0] : undefined;
    listen(name, first ?? (await browser.newPage()));
    if (before) await close(before);
    if (code) await pages.get(name).evaluateOnNewDocument(code);
    await pages.get(name).goto(url, { waitUntil: 'domcontentloaded' });
  },
  async close({ name }) {
    await close(pages.get(name));
    pages.delete(name);
  },
  told: ({ name }) => told.get(name) ?? [],
  call: ({ name, json }) => run(pages.get(name), `window.command(${JSON.stringify(json)})`),
  click: ({ name, selector }) => pages.get(name).click(selector),
  key: ({ name, key }) => pages.get(name).keyboard.press(key),
  show: ({ name }) => pages.get(name).bringToFront(),
  evaluate: ({ name, code }) => run(pages.get(name), code),
  reload: ({ name }) => pages.get(name).reload({ waitUntil: 'domcontentloaded' }).then(() => null),
  back: ({ name }) =>
    whileItReloads(() => pages.get(name).goBack({ waitUntil: 'domcontentloaded' })).then(() => null),
  address: ({ name }) => pages.get(name).url(),
  async tabs() {
    // In Firefox a frame is a target of the same type.
    if (isFirefox) return (await browser.pages()).map((page) => page.url());
    return browser.targets().filter((target) => target.type() === 'page').map((target) => target.url());
  },
  pressInTab: ({ prefix, text }) => whileItReloads(async () => press(await tab(prefix), text)),
  evaluateInTab: ({ prefix, code }) => whileItReloads(async () => run(await tab(prefix), code)),
  closeTab: async ({ prefix }) => close(await tab(prefix)),
  pressInFrame: ({ name, prefix, text }) =>
    whileItReloads(async () => press(await frameOf(pages.get(name), prefix), text)),
  evaluateInFrame: ({ name, prefix, code }) =>
    whileItReloads(async () => (await frameOf(pages.get(name), prefix)).evaluate(code)),
  async protocol({ name, method, params }) {
    const page = pages.get(name);
    // What is set in a session ends with it.
    if (!sessions.has(page)) sessions.set(page, await page.createCDPSession());
    return sessions.get(page).send(method, params);
  },
  // Answers the store's requests with this, in the store's place. `null` ends it.
  async answer({ name, status, headers, body }) {
    const page = pages.get(name);
    page.removeAllListeners('request');
    await page.setRequestInterception(status !== null);
    if (status === null) return;
    page.on('request', (request) => {
      if (!request.url().includes('/order/')) return request.continue();
      const isPreflight = request.method() === 'OPTIONS';
      const allow = { 'access-control-allow-origin': '*', 'access-control-allow-headers': 'Authorization' };
      return request.respond({
        status: isPreflight ? 204 : status,
        headers: { ...allow, ...(isPreflight ? {} : headers) },
        body: isPreflight ? '' : body,
      });
    });
  },
  // As a crash of the browser or of the machine.
  async kill() {
    const child = browser.process();
    const ended = new Promise((done) => child.once('exit', done));
    child.kill('SIGKILL');
    await ended;
    pages.clear();
  },
};

await answerAll(commands);
await browser?.close();
server?.close();
