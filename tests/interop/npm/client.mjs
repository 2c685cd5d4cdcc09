// Connects as Xsolla's documentation shows, and tells its standard output what it hears, as one JSON
// event a line. The first line of its standard input says where to and as whom (a token has no place
// among a process's arguments); its end says goodbye.
import { createInterface } from 'node:readline';
import { Centrifuge } from 'centrifuge';
import WebSocket from 'ws';

const tell = (event, fields) => process.stdout.write(JSON.stringify({ event, ...fields }) + '\n');

const lines = createInterface({ input: process.stdin });
lines.once('line', (line) => {
  const { url, data } = JSON.parse(line);
  const centrifuge = new Centrifuge(url, {
    data,
    websocket: WebSocket,
    // So that a test need not wait for the default half a second and more.
    minReconnectDelay: 50,
    maxReconnectDelay: 200,
  });

  centrifuge.on('connecting', ({ code, reason }) => tell('connecting', { code, reason }));
  centrifuge.on('connected', () => tell('connected'));
  centrifuge.on('disconnected', ({ code, reason }) => tell('disconnected', { code, reason }));
  centrifuge.on('error', ({ error: { code, message } }) => tell('error', { code, message }));
  centrifuge.on('publication', ({ channel, data, offset }) =>
    tell('publication', { channel, data, offset }),
  );
  centrifuge.on('subscribed', async ({ channel, recoverable, positioned, wasRecovering, recovered }) => {
    tell('subscribed', { channel, recoverable, positioned, wasRecovering, recovered });
    // Xsolla's documentation, to the letter.
    try {
      const { publications, epoch, offset } = await centrifuge.history(channel, {
        limit: -1,
        since: { offset: 0 },
        reverse: false,
      });
      const heard = publications.map(({ data, offset }) => ({ data, offset }));
      tell('history', { channel, publications: heard, epoch, offset });
    } catch ({ code, message }) {
      tell('history refused', { channel, code, message });
    }
  });

  lines.once('close', () => {
    centrifuge.disconnect();
    process.exit(0);
  });
  centrifuge.connect();
});
