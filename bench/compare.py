"""Times this suite, PyTorch and Keras in alternation and writes results.json and README.md beside this file.

Every contender is a process of its own that waits for its turn. In a round each works for about the same time,
one after the other; ratios are taken within a round, so that what else the machine does weighs on all alike.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path

import report
from networks import NETWORKS
from report import PARTS, QUICK

HERE = Path(__file__).parent
# Images that are trained on with augmentation, a part of an epoch; that are varied alone; and of a pass over the test
# part.
PART, VARIED, TEST = 6_000, 30_000, 10_000


class Contender:
    """A process that answers numbers with measurements."""

    def __init__(self, command, threads):
        names = ["RAYON_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"]
        environment = os.environ | {name: str(threads) for name in names}
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, text=True)
        self.rounds, self.peak_bytes, self.steps, self.counts = [], 0, 1, {}

    def ask(self, count):
        print(count, file=self.process.stdin, flush=True)
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{' '.join(self.process.args)}: ended without an answer")
        answer = json.loads(line)
        self.peak_bytes = answer["peak_bytes"]
        self.counts = answer
        return answer["milliseconds"]

    def warm_up(self, turn):
        """Finds how often the work is done in a turn; what takes longer than that is done once."""
        time = self.ask(2)[-1]
        if time < turn:
            time = statistics.median(self.ask(min(200, round(turn / time))))
        self.steps = min(500, max(1, round(turn / time)))

    def take_turn(self):
        self.rounds.append(statistics.median(self.ask(self.steps)))

    def end(self):
        self.process.stdin.close()
        self.process.wait()
        return {"rounds": self.rounds, "peak_bytes": self.peak_bytes} | {
            key: value for key, value in self.counts.items() if key.endswith("multiply_adds") or key == "images"
        }


def alternate(title, commands, rounds, threads, turn):
    """Medians of every round of every contender, each of which works for `turn` milliseconds a round."""
    print(title, file=sys.stderr, flush=True)
    contenders = {name: Contender(command, threads) for name, command in commands.items()}
    for contender in contenders.values():
        contender.warm_up(turn)
    order = list(contenders)
    for _ in range(rounds):
        for name in order:
            contenders[name].take_turn()
        # Nobody always follows the same one.
        order = order[1:] + order[:1]
    found = {name: contender.end() for name, contender in contenders.items()}
    for name, result in found.items():
        print(f"  {name}: {statistics.median(result['rounds']):.2f} ms", file=sys.stderr, flush=True)
    return found


class Commands:
    """How each contender is called."""

    def __init__(self, speed, threads):
        self.speed, self.threads = speed, threads

    def suite(self, network, what, batch, settings):
        given = {"training.batch_size": batch, "training.backend": '"flex"'} | settings
        if what == "inference":
            given["training.eval_batch_size"] = batch
        settings = [f"{key}={value}" for key, value in given.items()]
        return [self.speed, f"experiments/{network}.toml", what, *settings]

    def peer(self, script, layout, network, what, batch, width, images):
        numbers = [str(number) for number in (batch, width, self.threads, images)]
        return [sys.executable, str(HERE / script), network, what, layout, *numbers]

    def all(self, network, what, batch=None, images=TEST, composed=True, keras=True):
        batch = batch or NETWORKS[network][1]
        size = {}
        if what in ("epoch", "loader"):
            size |= {"data.train_samples": images}
            # What A1's networks are varied by; for the others, too, so that all do the same work.
            size |= {"augment.rotation_degrees": 8, "augment.shift": 0.08}
            size |= {"augment.shear_degrees": 0.3, "augment.zoom": 0.08}
            size |= {"augment.flip_probability": 0, "augment.crop_padding": 0}
        if what == "loader":
            # As many as compute in PyTorch.
            size |= {"data.workers": self.threads}
        commands = {"fused": self.suite(network, what, batch, size)}
        if composed:
            commands["composed"] = self.suite(network, what, batch, size | {"training.kernels": '"composed"'})
        commands["PyTorch"] = self.peer("peer_torch.py", "plain", network, what, batch, 1, images)
        commands["PyTorch channels-last"] = self.peer("peer_torch.py", "channels_last", network, what, batch, 1, images)
        if keras:
            commands["Keras"] = self.peer("peer_keras.py", "-", network, what, batch, 1, images)
        return commands


def growth(commands, arguments):
    """How a step grows with batch, width and threads, next to the faster of PyTorch's layouts: row by row."""

    def row(title, suite, peer, threads):
        contenders = {"fused": suite, "PyTorch channels-last": peer}
        return title, alternate(title, contenders, arguments.growth_rounds, threads, arguments.turn)

    torch = lambda network, batch, width: commands.peer(
        "peer_torch.py", "channels_last", network, "step", batch, width, 4096
    )
    for network in ["cnn3", "cnn4"]:
        for batch in [32, 64, 128, 256, 512, 1024]:
            suite = commands.suite(network, "step", batch, {})
            yield row(f"{network}, batch {batch}", suite, torch(network, batch, 1), arguments.threads)
    for width in [1, 2, 4]:
        stages = [[count * width] * 2 for count in (16, 32, 64)]
        suite = commands.suite("vgg_small", "step", 128, {"model.stages": stages})
        yield row(f"vgg_small, {width} × the channels", suite, torch("vgg_small", 128, width), arguments.threads)
    for threads in range(1, arguments.threads + 1):
        for network in ["dense_128", "cnn3", "cnn4"]:
            batch = NETWORKS[network][1]
            peers = Commands(commands.speed, threads)
            peer = peers.peer("peer_torch.py", "channels_last", network, "step", batch, 1, 4096)
            yield row(f"{network}, {threads} threads", commands.suite(network, "step", batch, {}), peer, threads)


def machine():
    def first(path, start):
        lines = Path(path).read_text().splitlines() if Path(path).exists() else []
        return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(start)), "unknown")

    sets = first("/proc/cpuinfo", "flags").split()
    wide = [name for name in ("avx512f", "avx2", "fma", "asimd") if name in sets]
    return {
        "processor": first("/proc/cpuinfo", "model name"),
        "cores": os.cpu_count(),
        "instructions": wide,
        "memory": first("/proc/meminfo", "MemTotal"),
        "system": f"{platform.system()} {platform.machine()}",
    }


def said(*command):
    return subprocess.run(command, capture_output=True, text=True).stdout.strip() or "unknown"


def versions():
    from importlib.metadata import version

    names = ["torch", "keras", "tensorflow", "tensorflow-cpu"]
    found = {"rustc": said("rustc", "--version").removeprefix("rustc "), "python": platform.python_version()}
    for name in names:
        try:
            found[name] = version(name)
        except Exception:
            continue
    return found


def peak(commands, arguments):
    """Milliseconds of the product of two square matrices, in this suite and in PyTorch."""
    both = {
        "suite": [commands.speed, "peak"],
        "PyTorch": [sys.executable, str(HERE / "peer_peak.py"), str(arguments.threads)],
    }
    return alternate("product of two matrices", both, arguments.rounds, arguments.threads, arguments.turn)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--speed", required=True, help="the suite's program that times itself")
    parser.add_argument("--parts", nargs="*", choices=list(PARTS), default=list(PARTS), help="what is measured (default all)")
    quick = " ".join(QUICK)
    parser.add_argument("--quick", dest="parts", action="store_const", const=QUICK, help=f"same as --parts {quick}")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of every comparison (default 5)")
    parser.add_argument("--growth-rounds", type=int, default=3, help="rounds of the tables of growth (default 3)")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="threads of every contender")
    parser.add_argument("--turn", type=float, default=report.TURN, help="milliseconds of a turn (default %(default)s)")
    parser.add_argument("--networks", nargs="*", default=list(NETWORKS), help="which networks (default all)")
    parser.add_argument("--output", type=Path, default=HERE, help="where results.json and README.md go")
    parser.add_argument("--keep", action="store_true", help="keep what results.json has of other parts and networks")
    arguments = parser.parse_args()

    commands = Commands(arguments.speed, arguments.threads)
    found = {"machine": machine(), "versions": versions(), "threads": arguments.threads}
    found |= {"rounds": arguments.rounds, "turn": arguments.turn, "commits": {}}
    commit = said("git", "describe", "--always", "--dirty")
    arguments.output.mkdir(parents=True, exist_ok=True)
    results, unfinished = arguments.output / "results.json", arguments.output / "unfinished.json"
    before = kept(results, found) if arguments.keep else {}

    def save(path):
        path.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")

    for part in PARTS:
        if part not in arguments.parts:
            continue
        if part == "step":
            found["peak"] = peak(commands, arguments)
        for name, numbers in measure(part, commands, arguments):
            found.setdefault(part, {})[name] = numbers
            found["commits"].setdefault(part, {})[name] = commit
            # What was measured is not lost with what was not.
            save(unfinished)
    merge(before, found)
    text = report.text(found)
    save(results)
    (arguments.output / "README.md").write_text(text)
    unfinished.unlink(missing_ok=True)


def measure(part, commands, arguments):
    """Names of a part's rows, and their numbers."""

    def compare(network, **settings):
        contenders = commands.all(network, part, **settings)
        return network, alternate(
            f"{network}: {part}", contenders, arguments.rounds, arguments.threads, arguments.turn
        )

    match part:
        case "loader":
            yield compare("cnn3", images=VARIED, composed=False)
        case "growth":
            yield from growth(commands, arguments)
        case "epoch":
            yield from (compare(network, images=PART, composed=False) for network in arguments.networks)
        case "profile":
            yield from ((network, profile(commands, network)) for network in arguments.networks)
        case _:
            yield from (compare(network) for network in arguments.networks)


def conditions(found):
    """What all numbers of a report have in common."""
    return {name: found[name] for name in ["machine", "versions", "threads", "rounds", "turn"]}


def kept(results, now):
    """What was measured earlier, under the same conditions."""
    if not results.exists():
        raise SystemExit(f"{results}: there is nothing to keep; leave out --keep")
    before = json.loads(results.read_text())
    was, is_now = conditions(before), conditions(now)
    for name in was | is_now:
        if was.get(name) != is_now.get(name):
            raise SystemExit(
                f"{results}: cannot be kept: {name} was {was.get(name)} and is {is_now.get(name)}; leave out --keep, "
                "or choose another --output"
            )
    return before


def merge(before, found):
    """Adds what was measured earlier and has not been measured again."""
    if "peak" in before:
        found.setdefault("peak", before["peak"])
    for part in PARTS:
        if part in before:
            found[part] = before[part] | found.get(part, {})
            found["commits"][part] = before["commits"][part] | found["commits"].get(part, {})


def profile(commands, network):
    """Where the time of a step goes, as the suite's program sees it."""
    command = commands.suite(network, "profile", NETWORKS[network][1], {})
    environment = os.environ | {"RAYON_NUM_THREADS": str(commands.threads)}
    answer = subprocess.run(command, input="100\n", capture_output=True, text=True, check=True, env=environment)
    return json.loads(answer.stdout.splitlines()[0])


if __name__ == "__main__":
    main()
