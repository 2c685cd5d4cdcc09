// A contestant of benches/burst.rs, on the client of Xsolla's documentation. The first line of standard
// input has the address, the player's data and the numbers of publications; the end of the input ends the
// program. It prints `ready` when it is subscribed, `warm` after the warm-up, and `seen` after the burst.
import { createInterface } from 'node:readline';
import { Centrifuge } from 'centrifuge';
import WebSocket from 'ws';

const say = (word) => process.stdout.write(word + '\n');

const lines = createInterface({ input: process.stdin });
lines.once('line', (line) => {
  const { url, data, warm_up, count } = JSON.parse(line);
  const centrifuge = new Centrifuge(url, { data, websocket: WebSocket });
  let seen = 0;
  centrifuge.on('publication', ({ data: { order_id, status } }) => {
    if (typeof order_id !== 'number' || typeof status !== 'string') throw new Error('this is no news of an order');
    seen += 1;
    if (seen === warm_up) say('warm');
    if (seen === warm_up + count) say('seen');
  });
  centrifuge.on('subscribed', async ({ channel }) => {
    // Xsolla's documentation reads the history like this.
    await centrifuge.history(channel, { limit: -1, since: { offset: 0 }, reverse: false });
    say('ready');
  });
  centrifuge.on('connecting', ({ code, reason }) => {
    if (code !== 0) console.error(`npm centrifuge: ${code} ${reason}`);
  });
  lines.once('close', () => {
    centrifuge.disconnect();
    process.exit(0);
  });
  centrifuge.connect();
});
