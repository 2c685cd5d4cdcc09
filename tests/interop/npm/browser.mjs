// A real browser, moved by tests/payment_page_browser.rs: a JSON command a line on standard input, and
// for each a JSON answer a line on standard output. The first command launches; the end of the input
// closes. Scripts are off, unless the launch turns them on: the page has to work without.
import { chromium } from 'playwright-core';
import { answerAll } from './commands.mjs';

const TIMEOUT = 20_000;
let context;
let page;
const complaints = [];

const commands = {
  async launch({ executable, profile, width, height, isPhone, isDark, hasScripts, origin }) {
    context = await chromium.launchPersistentContext(profile, {
      executablePath: executable,
      headless: true,
      chromiumSandbox: false,
      args: [
        '--disable-gpu',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
      viewport: { width, height },
      isMobile: isPhone,
      hasTouch: isPhone,
      deviceScaleFactor: isPhone ? 2 : 1,
      colorScheme: isDark ? 'dark' : 'light',
      javaScriptEnabled: hasScripts,
    });
    context.setDefaultTimeout(TIMEOUT);
    page = context.pages()[0] ?? (await context.newPage());
    page.on('request', (request) => {
      const url = request.url();
      if (!url.startsWith(origin) && !/^(data|about):/.test(url)) complaints.push(`asks for ${url}`);
    });
    page.on('console', (message) => complaints.push(`console: ${message.text()}`));
  },
  async open({ url }) {
    const response = await page.goto(url);
    return response?.status() ?? null;
  },
  // Shows the page in a frame over another, which notes what it posts. That one is not of the emulator's origin.
  frame: ({ url }) =>
    page.evaluate((url) => {
      window.posted = [];
      window.addEventListener('message', (event) => {
        const isOurs = event.source === document.querySelector('iframe').contentWindow;
        if (isOurs && event.origin === new URL(url).origin) window.posted.push(event.data);
      });
      const frame = document.body.appendChild(document.createElement('iframe'));
      frame.style = 'width: 90vw; height: 90vh';
      frame.src = url;
    }, url),
  clickInFrame: ({ button }) =>
    page.frameLocator('iframe').getByRole('button', { name: button, exact: true }).click(),
  // What was posted so far, once it has this in it.
  posted: async ({ text }) => {
    await page.waitForFunction((text) => window.posted.some((message) => message.includes(text)), text);
    return page.evaluate(() => window.posted);
  },
  click: ({ button }) => page.getByRole('button', { name: button, exact: true }).click(),
  follow: ({ link }) => page.getByRole('link', { name: link, exact: true }).click(),
  address: () => page.url(),
  press: ({ key }) => page.keyboard.press(key),
  // The page refreshes itself: nobody reloads it here.
  see: ({ text }) => page.getByText(text, { exact: true }).first().waitFor(),
  seeStatus: ({ status }) => page.locator(`main[data-status="${status}"]`).waitFor(),
  buttons: () => page.getByRole('button').allTextContents(),
  reload: () => page.reload().then(() => null),
  screenshot: ({ path }) => page.screenshot({ path, fullPage: true }).then(() => null),
  complaints: () => complaints,
  look: () => page.evaluate(look),
};

// Runs in the page: what of its look can be measured.
function look() {
  const root = document.documentElement;
  const rgb = (color) => color.match(/[\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => {
    const part = (value) => {
      const v = value / 255;
      return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    };
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = rgb(getComputedStyle(at).backgroundColor);
      if (color.length === 3 || color[3] > 0) return color;
    }
    return [255, 255, 255];
  };
  const texts = [...document.body.querySelectorAll('*')].filter((element) =>
    [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()),
  );
  const contrasts = texts.map((element) => {
    const [a, b] = [rgb(getComputedStyle(element).color), ground(element)].map(luminance);
    return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  });
  const boxes = [...document.querySelectorAll('button:not([hidden]), a')].map((b) => b.getBoundingClientRect());
  const outside = [...document.body.querySelectorAll('*')].filter((element) => {
    const box = element.getBoundingClientRect();
    return box.left < -0.5 || box.right > window.innerWidth + 0.5;
  });
  return {
    innerWidth: window.innerWidth,
    scrollWidth: root.scrollWidth,
    outside: outside.map((element) => element.outerHTML.slice(0, 120)),
    ground: luminance(ground(document.body)),
    lowestContrast: Math.min(...contrasts),
    smallestButton: Math.min(...boxes.map((box) => box.height)),
  };
}

await answerAll(commands);
await context?.close();
