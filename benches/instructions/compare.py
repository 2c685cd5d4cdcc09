"""Compares what was counted with the file `counts`, and fails where it is more: see `.ci/instruction-counts`."""

import json
import pathlib
import subprocess
import sys

ALLOWED = 0.03
FILE = pathlib.Path(__file__).with_name("counts")


def version(*command):
    return subprocess.check_output(command, text=True).split("(")[0].strip()


def instructions(case):
    return case["profiles"][0]["data"]["total"]["metrics"]["Ir"]["values"]["new"]


counted_by = f"{version('rustc', '--version')}, {version('valgrind', '--version')}"
counted = [json.loads(line) for line in open(sys.argv[1])]
counted = {case["function_name"]: instructions(case) for case in counted}

if "--renew" in sys.argv:
    lines = [f"{name} {count}" for name, count in counted.items()]
    FILE.write_text("\n".join([counted_by, *lines, ""]))

expected_by, *lines = FILE.read_text().splitlines()
expected = {name: int(count) for name, count in map(str.split, lines)}
print("| case | expected | counted | more |")
print("|---|---|---|---|")
problems = []
for name in sorted(expected.keys() | counted.keys()):
    if name not in expected or name not in counted:
        problems.append(f"{name} is expected or counted, and not both")
        continue
    more = counted[name] / expected[name] - 1
    print(f"| {name} | {expected[name]:,} | {counted[name]:,} | {more:+.2%} |")
    if more > ALLOWED:
        problems.append(f"{name} takes {more:.1%} more instructions")
    elif more < -ALLOWED:
        print(f"{name} takes {-more:.1%} fewer instructions: renew the counts, to keep that", file=sys.stderr)
for problem in problems:
    print(problem, file=sys.stderr)
if problems:
    if counted_by != expected_by:
        print(f"counted by {counted_by}; expected are the counts of {expected_by}", file=sys.stderr)
    sys.exit(1)
