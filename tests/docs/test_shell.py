"""Commands in README and docs exist, with all the options that they are shown with; data blocks can be parsed."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from typer.exceptions import TyperException
from typer.main import get_command

from service.cli.main import app
from tests.docs.blocks import ROOT, Block, blocks, commands, spans

LANGUAGES = {"sh", "python", "json", "toml", "text", "mermaid", "yaml"}
FOREIGN = {"cd", "cp", "curl", "docker", "git", "grep", "jq", "ls", "pre-commit", "sed", "sqlite3", "sysctl"}
"""Programs that are not ours, whose options are not looked at."""


def test_every_block_says_its_language() -> None:
    assert [str(block) for block in blocks() if block.language not in LANGUAGES] == []


@pytest.mark.parametrize("block", blocks("sh"), ids=str)
def test_commands_exist(block: Block) -> None:
    problems = [problem for words in commands(block.text) for problem in problems_of(words)]
    assert problems == []


@pytest.mark.parametrize(("page", "span"), spans())
def test_commands_in_sentences_exist(page: str, span: str) -> None:
    problems = [problem for words in commands(span) for problem in latcast_problems(words[1:], brief=True)]
    assert problems == [], page


@pytest.mark.parametrize("block", blocks("json"), ids=str)
def test_json_can_be_parsed(block: Block) -> None:
    lines = block.text.splitlines()
    one_a_line = len(lines) > 1 and all(line.startswith("{") and line.endswith("}") for line in lines)
    for document in lines if one_a_line else [block.text]:
        json.loads(document)


@pytest.mark.parametrize("block", blocks("toml"), ids=str)
def test_toml_can_be_parsed(block: Block) -> None:
    assert tomllib.loads(block.text)


def test_what_is_wrong_is_noticed() -> None:
    for line in ("latcast nope", "latcast targets --nope", "latcast cancel", "latcast targets here", "scripts/nope"):
        assert [problem for words in commands(line) for problem in problems_of(words)], line
    for line in ("python benchmarks/nope.py", "python benchmarks/train_base.py --nope", "pip install 'latcast[nope]'"):
        assert [problem for words in commands(line) for problem in problems_of(words)], line


def problems_of(words: list[str]) -> list[str]:
    """What is wrong with a command, as sentences."""
    program, *arguments = words
    if program == "latcast":
        return latcast_problems(arguments)
    if program in {"python", ".venv/bin/python"}:
        return python_problems(arguments)
    if program == "pip":
        return [f"no such extra: {extra}" for word in arguments for extra in unknown_extras(word)]
    known = program in FOREIGN or (ROOT / program).is_file()
    return [] if known else [f"no such program: {program}"]


def latcast_problems(arguments: list[str], *, brief: bool = False) -> list[str]:
    """What `latcast` would refuse; `brief` mentions may leave out needed arguments and the values of options."""
    command: Any = get_command(app)
    path = "latcast"
    while hasattr(command, "commands") and arguments and not arguments[0].startswith("-"):
        path = f"{path} {arguments[0]}"
        if arguments[0] not in command.commands:
            return [] if arguments[0].isupper() else [f"no such command: {path}"]
        command, arguments = command.commands[arguments[0]], arguments[1:]
    return [f"{path}: {problem}" for problem in parameter_problems(command, arguments, brief=brief)]


def parameter_problems(command: Any, arguments: list[str], *, brief: bool) -> list[str]:
    """What a command's parser says, and which needed arguments are missing."""
    parser = command.make_parser(command.context_class(command))
    try:
        values, rest, _ = parser.parse_args([word for word in arguments if word != "…"])
    except TyperException as error:
        return [] if brief and "requires an argument" in str(error) else [str(error)]
    needed = [parameter.name for parameter in command.params if parameter.required and not brief]
    missing = [name for name in needed if not values.get(name)]
    return [f"{name} is missing" for name in missing] + [f"one argument too many: {word}" for word in rest]


def python_problems(arguments: list[str]) -> list[str]:
    """Whether a script or module of the repository exists and mentions its options; code (`-c`) has to be Python."""
    if arguments[0] == "-":  # the script's here-document, which a guide's test runs
        return []
    if arguments[0] == "-c":
        compile(arguments[1], "-c", "exec")
        return []
    script = arguments[1].replace(".", "/") + ".py" if arguments[0] == "-m" else arguments[0]
    path: Path = ROOT / script
    if not path.is_file():
        return [f"no such file: {script}"]
    beside = [other for other in path.parent.glob("*.py") if f"from {other.stem} import" in path.read_text()]
    source = "".join(file.read_text() for file in (path, *beside))
    return [
        f"{script} has no option {word}" for word in arguments if word.startswith("--") and f'"{word}"' not in source
    ]


def unknown_extras(word: str) -> list[str]:
    """Extras in a requirement such as `latcast[agent]` that the project does not have."""
    name, bracket, extras = word.rstrip("]").partition("[")
    if not bracket or name not in {"latcast", "."}:
        return []
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [extra for extra in extras.split(",") if extra not in project["optional-dependencies"]]
