"""A contestant of benches/burst.rs, on centrifuge-python. ../npm/counter.mjs says what it does."""

import asyncio
import json
import sys

from centrifuge import Client, ClientEventHandler, StreamPosition


def say(word):
    print(word, flush=True)


class Counter(ClientEventHandler):
    def __init__(self, task):
        self.warm_up = task["warm_up"]
        self.count = task["count"]
        self.seen = 0
        self.client = None
        self.background = set()

    async def on_connecting(self, context):
        if context.code != 0:
            print(f"centrifuge-python: {context.code} {context.reason}", file=sys.stderr)

    async def on_subscribed(self, context):
        # It is a task of its own, because the client handles no answers until this method returns.
        history = asyncio.create_task(self.read_history(context.channel))
        self.background.add(history)

    async def read_history(self, channel):
        await self.client.history(channel, limit=-1, since=StreamPosition(offset=0, epoch=""))
        say("ready")

    async def on_publication(self, context):
        data = context.pub.data
        if not isinstance(data["order_id"], int) or not isinstance(data["status"], str):
            raise ValueError("this is no news of an order")
        self.seen += 1
        if self.seen == self.warm_up:
            say("warm")
        if self.seen == self.warm_up + self.count:
            say("seen")


async def main():
    loop = asyncio.get_running_loop()
    task = json.loads(await loop.run_in_executor(None, sys.stdin.readline))
    counter = Counter(task)
    counter.client = Client(task["url"], events=counter, data=task["data"], proxy=None)
    await counter.client.connect()
    await loop.run_in_executor(None, sys.stdin.read)
    await counter.client.disconnect()


asyncio.run(main())
