// A JSON command a line, and for each a JSON answer a line.
import { createInterface } from 'node:readline';

export async function answerAll(commands) {
  for await (const line of createInterface({ input: process.stdin })) {
    const { command, ...rest } = JSON.parse(line);
    let answer;
    try {
      answer = { value: (await commands[command](rest)) ?? null };
    } catch (error) {
      answer = { error: `${command}: ${error.message}` };
    }
    process.stdout.write(JSON.stringify(answer) + '\n');
  }
}
