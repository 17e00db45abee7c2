"""Numbers of several repeats, and what is compared: ratios and differences within a repeat, where the machine was in the same mood."""
import statistics


def spread(values):
    """{median, min, max, n} of the values; None when there are none."""
    values = sorted(values)
    if not values:
        return None
    return {"median": statistics.median(values), "min": values[0], "max": values[-1], "n": len(values)}


def field_of(measure, path):
    """A value by its dotted path, e.g. latency_us.p50; None when it is not there."""
    for key in path.split("."):
        if not isinstance(measure, dict) or key not in measure:
            return None
        measure = measure[key]
    return measure


def by_repeat(runs, scenario, contestant, path, **setting):
    """{repeat: value} of the runs that went well and whose setting has these members."""
    found = {}
    for run in runs:
        if run["scenario"] != scenario or run["contestant"] != contestant or "measure" not in run:
            continue
        if any(run["setting"].get(key) != wanted for key, wanted in setting.items()):
            continue
        value = field_of(run["measure"], path)
        if value is not None:
            found[run["repeat"]] = value
    return found


def ratios(over, under):
    """Of two by_repeat(): their ratio in each repeat that has both."""
    return [over[repeat] / under[repeat] for repeat in sorted(over) if under.get(repeat)]


def differences(of, minus):
    return [of[repeat] - minus[repeat] for repeat in sorted(of) if repeat in minus]
