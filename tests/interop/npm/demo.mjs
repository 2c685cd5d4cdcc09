// A player of the demo shop in Chromium: buys an item in windows of several sizes, and saves pictures.
//
//     node demo.mjs ADDRESS FOLDER
import { setTimeout as sleep } from 'node:timers/promises';
import puppeteer from 'puppeteer-core';

// A program draws the pictures where there is no graphics card.
const TIMEOUT = 120_000;
const SIZES = {
  wide: { width: 1280, height: 720 },
  upright: { width: 390, height: 844, deviceScaleFactor: 2, isMobile: true, hasTouch: true },
};
const BAG = 'bevy_xsolla_demo_shop/bag.json';

const [address, folder] = process.argv.slice(2);
const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM_BIN || '/usr/bin/chromium',
  headless: true,
  ignoreDefaultArgs: ['--disable-popup-blocking'],
  args: ['--no-sandbox', '--enable-unsafe-swiftshader', '--disable-quic', '--disable-component-update'],
});
try {
  for (const [name, viewport] of Object.entries(SIZES)) await buy(name, viewport);
} finally {
  await browser.close();
}

async function buy(name, viewport) {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  page.setDefaultTimeout(TIMEOUT);
  page.on('pageerror', (error) => console.log(`${name}: ${error}`));
  await page.setViewport(viewport);
  await page.goto(address);
  await page.waitForFunction(() => document.querySelector('#loading').hidden);

  // The keyboard reaches the buttons, once the shop has something for sale.
  const payment = await until(`${name}: a payment page`, async () => {
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await sleep(500);
    const pages = await context.pages();
    return pages.find((other) => other !== page && other.url().startsWith('http'));
  });
  await page.bringToFront();
  await picture(page, `${name}-before`);
  await payment.bringToFront();
  // The page may reload itself meanwhile, for which a locator tries again.
  await payment.locator('::-p-xpath(//button[starts-with(normalize-space(), "Pay ")])').click();

  await page.bringToFront();
  await until(`${name}: an item in the bag`, () => page.evaluate((bag) => localStorage.getItem(bag)?.includes('"'), BAG));
  await sleep(2_000);
  await picture(page, `${name}-after`);
  const bag = await page.evaluate((bag) => localStorage.getItem(bag), BAG);
  console.log(`${name}: ${bag}`);
  await context.close();
}

async function picture(page, name) {
  await sleep(1_000);
  await page.screenshot({ path: `${folder}/web-${name}.png` });
}

async function until(what, isIt) {
  for (const end = Date.now() + TIMEOUT; ; ) {
    const found = await isIt();
    if (found) return found;
    if (Date.now() > end) throw new Error(`there is not ${what}`);
    await sleep(200);
  }
}
