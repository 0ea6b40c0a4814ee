"""What results are: the records that a run reports them in, and the files that they are kept in.

The files are `results.json` of a run, `compare.json`, `NAME.json` of a bench, `plan.json`, and `sweep.json`. These
models are the source of `docs/results.schema.json`, which other programs may validate with. `reported.py` holds
what comes out of the sandbox to the same ones. A key that is not here may be there: a later version of lastport
may add some, and this one passes them over. A key that is here keeps its meaning for as long as `schema` is 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, JsonValue, Tag
from pydantic.json_schema import models_json_schema

from topologies.picture import Picture

SCHEMA = 1
ID = f"urn:lastport:results:{SCHEMA}"
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def _is_time(text: str) -> str:
    if datetime.fromisoformat(text).tzinfo is None:
        raise ValueError("it has to have a time zone")
    return text


def described(description: str, **more: Any) -> Any:
    """Return a key that has to be there, or has the default in `more`, with its meaning."""
    return Field(description=description, **more)


Time = Annotated[str, AfterValidator(_is_time), Field(json_schema_extra={"format": "date-time"})]
Count = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Verdict = Literal["pass", "fail", "error"]
Values = dict[str, JsonValue]
Version = Annotated[Literal[1], Field(alias="schema", description="the version of this schema")]


class Part(BaseModel):
    """A part of the results. A number is not taken from a string, nor the other way round."""

    model_config = ConfigDict(strict=True, frozen=True, allow_inf_nan=False)


class Origin(Part):
    """Where results come from."""

    version: str = described("lastport's version", default="")
    commit: str | None = described("its commit; null if it is not known", default=None)
    command: list[str] = described("the words of the command after its name", default=[])


class Check(Part):
    """A claim, and what became of it."""

    key: str = described("the same in every run and on every gateway, to find the check by")
    claim: str = described("the claim, in words")
    expected: JsonValue = described("what was expected; a range is a text, such as `at most 6.5`")
    observed: JsonValue = described("what was observed")
    ok: bool = described("whether the claim holds")
    source: str = described("where the expectation comes from: an RFC, a setting, or what the gateway declares")


class Series(Part):
    """Measurements, by name; often a list of rows. These two are in every run that has any of them."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, JsonValue]

    capture: dict[str, dict[str, Count]] = described("frames of each capture, and those that it lacks", default={})
    not_looked_at: dict[str, str] = described("what nobody could look at, and why", default={})


class RunResults(Origin):
    """A run of one scenario on one gateway: `results.json`."""

    schema_: Version
    scenario: str = described("its name, or the file that it is in")
    question: str = described("the scenario's question", default="")
    claim: str = described("the statement of people that it puts to the test, if there is one", default="")
    gateway: str = described("the NAT under test")
    profile: str = described("the profile of settings", default="plain")
    topology: str = described("the network's name", default="")
    network: Picture | None = described("the network, as far as a picture shows it", default=None)
    parameters: Values = described("parameters of the scenario and settings, by key", default={})
    settings: Values = described(
        "settings alone; `NAME.key` where one of several gateways differs from the others", default={}
    )
    chosen: Values = described("what the user chose otherwise than by default", default={})
    seed: int = described("the seed of every random choice", default=1)
    verdict: Verdict = described("error if the run broke, or the machine was too busy to tell")
    started: Time = described("when the run began, ISO 8601")
    duration_s: Seconds = described("seconds that it took")
    environment: dict[str, str] = described("machine, programs and the gateway's own facts", default={})
    packages: dict[str, str] = described("versions of Python packages", default={})
    machine: Values = described("what was measured of the machine meanwhile", default={})
    story: str = described("what happened, in words", default="")
    checks: list[Check] = described("in the order in which they were made")
    outcomes: dict[str, Count] = described("the number of attempts by what became of each", default={})
    counters: dict[str, int | None] = described("the gateway's own counters; null: it does not know", default={})
    series: Series = described("measurements, by name; often a list of rows", default={})
    files: dict[str, str] = described("the paths of the files that were written", default={})
    error: str = described("the reason for the verdict error", default="")
    last_words: str = described("what the process that failed printed last", default="")
    unkept: str = described("why the results could not be written, if so", default="")
    unrecorded: str = described("why the recording lacks something, if it does", default="")
    compared_as: str = described("in a comparison of profiles: its profile", default="")


class CannotRun(Part):
    """What stands in a comparison for a run that a gateway, or this machine, makes impossible."""

    schema_: Version
    scenario: str
    gateway: str
    verdict: Literal["cannot"]
    reason: str = described("why not, and the way out")
    compared_as: str = described("in a comparison of profiles: its profile", default="")


class Showed(Part):
    """What one scenario of a comparison showed."""

    scenario: str
    question: str
    claim: str
    showed: dict[str, str] = described("a line for each gateway")


class Difference(Part):
    """A difference between gateways."""

    scenario: str
    kind: Literal["verdict", "outcome", "check", "not asked"]
    what: str
    values: Values = described("by gateway")
    sentence: str


class Side(Part):
    """One side of a matrix of pairs."""

    gateway: str = described("the gateway's name in the network")
    kind: str = described("the NAT that it is")
    behaviours: list[str] = described("what it was in turn, as `mapping/filtering`")


class Cell(Part):
    """One pair of a matrix."""

    behaviours: list[str] = described("those of the first and the second side")
    foreseen: list[str] = described("the words that the scenario's model allows; several where a race decides")
    observed: str | None = described("the word for what was observed; null if nothing was")
    verdict: Literal["pass", "fail", "error", "cannot"]
    run: Count = described("the place of its run in `runs`, from 0")


class Matrix(Part):
    """Every pair of NATs on the two sides of a question."""

    sides: list[Side] = described("the rows of the matrix, and its columns", min_length=2, max_length=2)
    cells: list[Cell] = described("row by row")


def _kind_of(run: Any) -> str:
    verdict = run.get("verdict") if isinstance(run, dict) else getattr(run, "verdict", None)
    return "cannot" if verdict == "cannot" else "run"


AnyRun = Annotated[
    Annotated[RunResults, Tag("run")] | Annotated[CannotRun, Tag("cannot")], Discriminator(_kind_of)
]


class ComparisonResults(Origin):
    """Scenarios on several gateways: `compare.json`."""

    schema_: Version
    started: Time | None = described("when the first run began", default=None)
    scenarios: list[Showed] = described("a row for each scenario", default=[])
    runs: list[AnyRun] = described("every run, as in its `results.json`", min_length=1)
    differences: list[Difference] = described("what differs first, then what not all were asked", default=[])
    pairs: Matrix | None = described("with `--pairs`: the matrix of two sides", default=None)


class Row(Part):
    """One figure of a bench: of a subject under some parameters."""

    subject: str
    parameters: Values
    unit: str
    median: float
    min: float
    max: float
    lost: float | None = described(
        "packets that were lost in the worst repetition, if any are counted", default=None
    )


class RatioRow(Part):
    """One ratio of a bench, taken within each repetition."""

    of: str
    to: str
    parameters: Values
    median: float
    min: float
    max: float


class BenchResults(Origin):
    """A bench: `NAME.json`."""

    schema_: Version
    started: Time
    duration_s: Seconds
    bench: str
    note: str = described("a caveat that is to be shown with the figures", default="")
    parameters: Values = described("what was chosen about the bench", default={})
    environment: dict[str, str] = described("machine and programs", default={})
    repetitions: Count
    rows: list[Row]
    ratios: list[RatioRow]
    series: Values = described("further figures, by name", default={})
    left_out: dict[str, str] = described("why some subjects could not be measured", default={})
    error: str = described("why the bench ended early, if it did", default="")


class Modelled(Part):
    """What a formula says."""

    model: str
    erlangs: float
    ports: Count
    refused_share: float


class Refusals(Part):
    """Attempts of a class, or to a destination. A class has more keys."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, JsonValue]

    name: str
    offered: Count
    refused: Count
    refused_share: float


class PlanResults(Origin):
    """A plan: `plan.json`."""

    schema_: Version
    workload: str = described("whose attempts: subscribers, erlangs (plain calls), or trace")
    started: Time
    duration_s: Seconds = described("seconds of the processor that the simulation took")
    profile: str = described("the profile of settings", default="plain")
    assumed: list[str] = described("settings of the profile that its vendor does not publish", default=[])
    parameters: Values = described("what was chosen about the load, and what follows from it", default={})
    settings: Values = described("the NAT's settings", default={})
    chosen: Values = described("what the user gave", default={})
    seed: int = 1
    offered: Count = described("attempts after the warm-up")
    refused: Count = described("those that were refused")
    refused_share: float
    interval: list[float] = described("the 95 % interval of the share", min_length=2, max_length=2)
    erlang_b: float | None = described("what Erlang B says; null if it does not apply")
    theory: list[Modelled] = described("what each formula says that applies", default=[])
    differences: list[str] = described("why the simulation must differ from the formulas", default=[])
    limits: dict[str, Count] = described("refused attempts by the counter of their limit", default={})
    classes: list[Refusals] = []
    destinations: list[Refusals] = []
    worst: list[Values] = described("the subscribers that were refused most", default=[])
    ports: Values = described("ports in use, by protocol", default={})
    timers: list[Values] = described("the ports that each timer holds, on average", default=[])
    log: Values | None = described("lines and bytes in a day, by kind of log", default=None)
    assignment: str | None = described("the log's one line, if ports are assigned by arithmetic", default=None)
    checked: list[Values] = described(
        "points that were replayed on the wire: the load, the figures beside one another (foreseen, the same "
        "attempts in the core, wire), and by how much the wire differs from what was foreseen",
        default=[],
    )
    needed: Values | None = described("what a target needs", default=None)
    front: list[Values] = described("what no other choice is better than in everything", default=[])


class Estimated(Part):
    """A mean over repetitions, with its 95 % interval; null if there was one repetition."""

    mean: float
    interval: list[float] | None = described("the 95 % interval", min_length=2, max_length=2)


class Estimate(Estimated):
    """What was measured of a combination, and by what it differs from the first one, with the same seeds."""

    difference: Estimated | None = None


class CombinationRow(Part):
    """A combination of a sweep."""

    point: Values
    repetitions: Count
    verdicts: dict[str, Count] = described("points by their verdict")
    measures: dict[str, Estimate]


class PointRow(Part):
    """A point of a sweep in short; `points.jsonl` has all of it."""

    point: Values
    seed: int
    verdict: Literal["pass", "fail", "error"]
    measures: dict[str, float]


class SweepResults(Origin):
    """A sweep: `sweep.json`."""

    schema_: Version
    scenario: str = described("the scenario that was swept, or plan")
    chosen: Values = described("what is the same at every point", default={})
    same: dict[str, str] = described("versions and files that are the same at every point", default={})
    grid: dict[str, list[JsonValue]] = described("the values of each key")
    repeat: Count = described("repetitions of each combination at most")
    seed: int = described("the seed of the first repetition; each has one more")
    until: float | None = described("half of the interval that is narrow enough", default=None)
    measures: list[str] = described("what was measured, by keys of the results")
    started: Time
    duration_s: Seconds = described("seconds of all points")
    combinations: list[CombinationRow]
    points: list[PointRow]


MODELS: dict[str, type[Part]] = {
    "run": RunResults,
    "compare": ComparisonResults,
    "bench": BenchResults,
    "plan": PlanResults,
    "sweep": SweepResults,
}
"""The model of each kind of results."""


def completed(kind: str, told: Mapping[str, Any]) -> dict[str, Any]:
    """Return results with every optional key: an older version has written fewer."""
    fields = MODELS[kind].model_fields.items()
    return {**{key: field.get_default() for key, field in fields if not field.is_required()}, **told}


def schema() -> dict[str, Any]:
    """Return the JSON Schema of all kinds of results: one that fits one of them fits it."""
    _, made = models_json_schema([(model, "validation") for model in MODELS.values()], by_alias=True)
    return {
        "$schema": DIALECT,
        "$id": ID,
        "title": "Results of lastport",
        "description": "results.json of a run, compare.json of a comparison, NAME.json of a bench, plan.json, or "
        "sweep.json",
        "anyOf": [{"$ref": f"#/$defs/{model.__name__}"} for model in MODELS.values()],
        **made,
    }
