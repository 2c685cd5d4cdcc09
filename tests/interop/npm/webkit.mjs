// What web.mjs does, in WebKitGTK: its driver speaks the W3C's WebDriver protocol, and needs a screen.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { answerAll } from './commands.mjs';
import { serve } from './site.mjs';

const TIMEOUT = 20_000;
// The protocol has no events, so that the page itself keeps what the game tells.
const LISTEN = `
  window.told = [];
  const log = console.log;
  console.log = (text) => {
    log(text);
    try {
      told.push(JSON.parse(text));
    } catch {
      told.push({ told: 'console', value: String(text) });
    }
  };
  addEventListener('error', ({ message }) => told.push({ told: 'panic', value: message }));
  addEventListener('unhandledrejection', ({ reason }) => told.push({ told: 'panic', value: String(reason) }));
`;

const processes = [];
// The protocol runs nothing before a page's own code, but our server may.
let prelude = '';
let server;
let session;
// The tabs that the test opened, by the name that it gave them, and what the game in each has told.
const tabs = new Map();
const told = new Map();

// Ends with this script, and so do the processes that it starts.
function start(program, args, env, stdio) {
  const child = spawn(program, args, { env, stdio, detached: true });
  processes.push(child);
  return child;
}

process.on('exit', () => {
  for (const { pid } of processes) {
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      // It has ended.
    }
  }
});

async function startScreen() {
  const args = ['-displayfd', '1', '-nolisten', 'tcp', '-screen', '0', '1024x768x24'];
  const screen = start(process.env.XVFB_BIN || 'Xvfb', args, process.env, ['ignore', 'pipe', 'ignore']);
  const [number] = await once(screen.stdout, 'data', { signal: AbortSignal.timeout(TIMEOUT) });
  return `:${String(number).trim()}`;
}

// The driver chooses no port itself.
async function freePort() {
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address();
  await new Promise((done) => listener.close(done));
  return port;
}

async function startDriver(executable, env) {
  for (const end = Date.now() + TIMEOUT; ; ) {
    const port = await freePort();
    const driver = start(executable, [`--port=${port}`, '--host=127.0.0.1'], env, 'ignore');
    // Another program may take the port first. The driver ends then.
    while (driver.exitCode === null) {
      try {
        await request('GET', `http://127.0.0.1:${port}/status`);
        return `http://127.0.0.1:${port}/session`;
      } catch (error) {
        if (Date.now() > end) throw error;
        await sleep(10);
      }
    }
  }
}

async function request(method, url, body, patience = TIMEOUT + 5_000) {
  const signal = AbortSignal.timeout(patience);
  const answer = await fetch(url, { method, signal, body: body && JSON.stringify(body) });
  const { value } = await answer.json();
  if (!answer.ok) throw Object.assign(new Error(`${value.error}: ${value.message}`), { code: value.error });
  return value;
}

const get = (path) => request('GET', session + path);
const post = (path, body) => request('POST', session + path, body);
const enter = (handle) => post('/window', { handle });

// The value of an expression, without the player's hand.
const run = (expression) => post('/execute/sync', { script: `return (${expression});`, args: [] });

async function click(using, value) {
  const [id] = Object.values(await post('/element', { using, value }));
  return post(`/element/${id}/click`, {});
}

async function collect(name) {
  const lines = told.get(name) ?? [];
  told.set(name, lines);
  if (tabs.has(name)) {
    await enter(tabs.get(name));
    lines.push(...(await run('(window.told ?? []).splice(0)')));
  }
  return lines;
}

async function close(name) {
  await collect(name);
  await request('DELETE', `${session}/window`);
  tabs.delete(name);
}

// Each page has a window, since the browser shows no tab that it has not opened itself. So that the windows hide each
// other as tabs do, only one is shown.
async function show(handle) {
  for (const other of tabs.values()) {
    if (other !== handle) {
      await enter(other);
      await post('/window/minimize', {});
    }
  }
  await enter(handle);
  await post('/window/rect', { x: 0, y: 0 });
}

// Enters the tab whose address begins so, once it is there, and does something in it. The page may load meanwhile.
async function inTab(prefix, work) {
  for (const end = Date.now() + TIMEOUT; ; await sleep(20)) {
    try {
      for (const handle of await get('/window/handles')) {
        await enter(handle);
        if (!(await get('/url')).startsWith(prefix)) continue;
        await show(handle);
        return await work();
      }
      if (Date.now() > end) throw new Error(`there is no tab ${prefix}`);
    } catch (error) {
      if (Date.now() > end) throw error;
    }
  }
}

const commands = {
  async launch({ executable, profile, root }) {
    server = await serve(root, (html) => html.replace('<!doctype html>', `$&<script>{${LISTEN}}${prelude}</script>`));
    const env = {
      ...process.env,
      DISPLAY: await startScreen(),
      GDK_BACKEND: 'x11',
      HOME: profile,
      XDG_RUNTIME_DIR: profile,
      // There may be neither a graphics card nor the right to make namespaces.
      WEBKIT_DISABLE_DMABUF_RENDERER: '1',
      WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: '1',
    };
    const sessions = await startDriver(executable, env);
    const timeouts = { script: TIMEOUT, pageLoad: TIMEOUT };
    const wanted = { alwaysMatch: { pageLoadStrategy: 'eager', timeouts } };
    const { sessionId } = await request('POST', sessions, { capabilities: wanted });
    session = `${sessions}/${sessionId}`;
    return server.address().port;
  },
  // Opens a tab of this name. An earlier one is closed before the new one loads.
  async open({ name, url, code }) {
    const isFirst = tabs.size === 0;
    const handle = isFirst ? await get('/window') : (await post('/window/new', { type: 'window' })).handle;
    if (tabs.has(name)) await close(name);
    tabs.set(name, handle);
    await show(handle);
    prelude = code;
    await post('/url', { url });
  },
  close: ({ name }) => close(name),
  told: ({ name }) => collect(name),
  call: ({ name, json }) => enter(tabs.get(name)).then(() => run(`window.command(${JSON.stringify(json)})`)),
  click: ({ name, selector }) => enter(tabs.get(name)).then(() => click('css selector', selector)),
  show: ({ name }) => show(tabs.get(name)),
  evaluate: ({ name, code }) => enter(tabs.get(name)).then(() => run(code)),
  async tabs() {
    const urls = [];
    for (const handle of await get('/window/handles')) {
      await enter(handle);
      urls.push(await get('/url'));
    }
    return urls;
  },
  pressInTab: ({ prefix, text }) =>
    inTab(prefix, () => click('xpath', `//*[self::button or self::a][normalize-space()="${text}"]`)),
  evaluateInTab: ({ prefix, code }) => inTab(prefix, () => run(code)),
};

await answerAll(commands);
// The browser ends with its session.
if (session) await request('DELETE', session, undefined, 3_000).catch(() => null);
process.exit();
