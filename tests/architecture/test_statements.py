"""Names are never formatted into SQL: what a statement is made of is written in our sources, or went through THE quoting.

With PostgreSQL that is the driver's own (`psycopg.sql`). MySQL's driver has none: there it is `naming`, which lets letters,
digits and `._-` through and nothing else. The law looks at each statement that is handed to a connection, also by way of a
function that only passes it on, and at everything that it is made of.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from provider.hosting.datastores.errors import NameRefused
from provider.hosting.datastores.mysql import naming

ROOT = Path(__file__).parents[2]
STORES = ROOT / "provider" / "hosting" / "datastores"
ROOMS = ("mysql", "postgresql")
DRIVERS = {"asyncmy", "psycopg"}
QUOTED = {"naming.quoted", "naming.pattern", "sql.Identifier", "sql.Literal", "int"}
Function = ast.FunctionDef | ast.AsyncFunctionDef


class Law:
    """Of the modules of one room, which see each other's constants and functions."""

    def __init__(self, *sources: str) -> None:
        self.trees = [ast.parse(each) for each in sources]
        self.functions = [each for tree in self.trees for each in ast.walk(tree) if isinstance(each, Function)]
        self.constants = _bound(*(each for tree in self.trees for each in tree.body))
        self.sinks = {"execute": 0, "executemany": 0}  # where each takes its statement
        while self._passed_on():
            pass

    def statements(self) -> Iterator[tuple[ast.expr, Function]]:
        """Each with the function that it stands in; what is only passed on is looked at where it comes from."""
        for function in self.functions:
            for call in _calls(function):
                if (said := self._said(call)) is not None and self._parameter(said, function) is None:
                    yield said, function

    def broken(self) -> list[str]:
        """Statements with something else in them than may be."""
        return [ast.unparse(said) for said, where in self.statements() if not self._fixed(said, _bound(*where.body))]

    def _said(self, call: ast.Call) -> ast.expr | None:
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        at = self.sinks.get(name)
        if at is None:
            return None
        named = [each.value for each in call.keywords if each.arg in ("said", "asked", "query", "statement")]
        return (*call.args[at : at + 1], *named, ast.Name("nothing"))[0]

    def _passed_on(self) -> bool:
        """Whether one more function was found that hands a parameter of its own to a connection."""
        for function in self.functions:
            for call in _calls(function):
                at = None if (said := self._said(call)) is None else self._parameter(said, function)
                if at is not None and function.name not in self.sinks:
                    self.sinks[function.name] = at
                    return True
        return False

    def _parameter(self, said: ast.expr, function: Function) -> int | None:
        names = [each.arg for each in function.args.args if each.arg not in ("self", "cls")]
        plain = isinstance(said, ast.Name) and said.id in names and said.id not in _bound(*function.body)
        return names.index(said.id) if isinstance(said, ast.Name) and plain else None

    def _fixed(self, node: ast.expr, local: dict[str, list[ast.expr | None]]) -> bool:
        """Whether it is the same whoever asks, but for what was quoted."""

        def fixed(each: ast.expr) -> bool:
            return self._fixed(each, local)

        match node:
            case ast.Constant():
                return True
            case ast.Name(id=name) | ast.Attribute(attr=name):
                bound = local.get(name, self.constants.get(name, [])) if isinstance(node, ast.Name) else []
                bound, rest = bound or self.constants.get(name, []), local | {name: [None]}
                return bool(bound) and all(each is not None and self._fixed(each, rest) for each in bound)
            case ast.JoinedStr(values=parts) | ast.Tuple(elts=parts) | ast.List(elts=parts):
                return all(map(fixed, parts))
            case ast.FormattedValue(value=value):
                return fixed(value)
            case ast.BinOp(left=left, right=right):
                return fixed(left) and fixed(right)
            case ast.IfExp(body=body, orelse=other):
                return fixed(body) and fixed(other)
            case ast.Call(func=func, args=arguments):
                return self._made(func, arguments, local)
        return False

    def _made(self, func: ast.expr, arguments: list[ast.expr], local: dict[str, list[ast.expr | None]]) -> bool:
        """By a call: of what quotes, or of what puts pieces together that are fixed themselves."""
        name = ast.unparse(func)
        if name in QUOTED:
            return True
        if name == "sql.SQL":
            return all(self._fixed(each, local) for each in arguments)
        if not isinstance(func, ast.Attribute) or func.attr not in ("format", "join"):
            return False
        composed = isinstance(func.value, ast.Call) and ast.unparse(func.value.func) == "sql.SQL"
        pieces = [] if composed else arguments  # psycopg quotes what is put into its own
        return all(self._fixed(each, local) for each in (func.value, *pieces))


def _calls(function: Function) -> Iterator[ast.Call]:
    return (each for each in ast.walk(function) if isinstance(each, ast.Call))


def _bound(*nodes: ast.AST) -> dict[str, list[ast.expr | None]]:
    """All that each name is set to; None for what is not written there: loops, imports, answers, what is added to it."""
    found: dict[str, list[ast.expr | None]] = defaultdict(list)

    def bind(target: ast.AST, value: ast.expr | None) -> None:
        if isinstance(target, ast.Name):
            found[target.id].append(value)
        elif isinstance(target, ast.Tuple | ast.List):
            values = value.elts if isinstance(value, ast.Tuple) and len(value.elts) == len(target.elts) else None
            for number, each in enumerate(target.elts):
                bind(each, values[number] if values else None)

    for node in (each for top in nodes for each in ast.walk(top)):
        match node:
            case ast.Assign(targets=targets, value=value):
                for each in targets:
                    bind(each, value)
            case ast.AnnAssign(target=target, value=value) | ast.NamedExpr(target=target, value=value):
                bind(target, value)
            case ast.AugAssign(target=target) | ast.For(target=target) | ast.AsyncFor(target=target):
                bind(target, None)
            case ast.comprehension(target=target):
                bind(target, None)
            case ast.withitem(optional_vars=ast.expr() as target):
                bind(target, None)
    return found


def law_of(room: str) -> Law:
    return Law(*(each.read_text() for each in sorted((STORES / room).glob("*.py"))))


@pytest.mark.parametrize("room", ROOMS)
def test_no_name_is_formatted_into_a_statement(room: str) -> None:
    law = law_of(room)
    assert len(list(law.statements())) >= 20, "the law sees what is asked"
    assert law.broken() == []


def test_nobody_but_these_rooms_speaks_sql() -> None:
    for module in (each for folder in ("provider", "config") for each in (ROOT / folder).rglob("*.py")):
        imported = {
            (each.module or "" if isinstance(each, ast.ImportFrom) else alias.name).split(".")[0]
            for each in ast.walk(ast.parse(module.read_text()))
            if isinstance(each, ast.Import | ast.ImportFrom)
            for alias in each.names
        }
        assert not imported & DRIVERS or module.parent.name in ROOMS, module


@pytest.mark.parametrize(
    "body",
    [
        'await c.execute(f"DROP DATABASE {name}")',
        'await c.execute(f"DROP DATABASE `{name}`")',
        'await c.execute("DROP DATABASE " + name)',
        'await c.execute("DROP DATABASE %s" % name)',
        'await c.execute("DROP DATABASE {}".format(name))',
        'await c.execute("".join(["DROP DATABASE ", name]))',
        'await c.execute(sql.SQL(f"DROP DATABASE {name}"))',
        'await c.execute(sql.SQL("DROP DATABASE " + name).format())',
        'said = f"DROP DATABASE {name}"\n    await c.execute(said)',
        'said = "DROP DATABASE "\n    said += name\n    await c.execute(said)',
        'for each in name:\n        await c.execute("DROP DATABASE " + each)',
        "(said,) = [name]\n    await c.execute(said)",
        'await _do(c, f"DROP DATABASE {name}")',
        'await _do(c, said=f"DROP DATABASE {name}")',
        'await _further(c, "DROP DATABASE " + name)',
        "await c.execute(name.lower())",
        'name = f"DROP DATABASE {name}"\n    await c.execute(name)',
        'name += ";"\n    await c.execute(name)',
        "await c.execute(view.name)",
    ],
)
def test_a_name_that_is_formatted_in_is_found_whichever_way(body: str) -> None:
    helpers = (
        "async def _do(c, said):\n    await c.execute(said)\n\nasync def _further(c, said):\n    await _do(c, said)\n\n"
    )
    assert len(Law(f"{helpers}async def asked(c, name):\n    {body}\n").broken()) == 1


def test_what_is_quoted_or_written_here_is_let_through() -> None:
    source = """
LESS = ("NOLOGIN", "NOCREATEDB")

async def asked(c, name, had):
    verb, quoted = "ALTER" if had else "CREATE", naming.quoted(name)
    await c.execute(f"{verb} DATABASE {quoted} {', '.join(LESS)}", name)
    await c.execute(sql.SQL("{} ROLE {}").format(sql.SQL(verb), sql.Identifier(name)))
    await c.execute("KILL " + str(1) if had else f"KILL {int(name)}")
"""
    assert Law(source).broken() == ["'KILL ' + str(1) if had else f'KILL {int(name)}'"], "str() quotes nothing"


@pytest.mark.parametrize("name", ["", "a`b", "a b", "a;b", "a\\b", "a'b", 'a"b', "a\nb", "a\0b", "ä", "a" * 65])
def test_the_quoting_of_mysql_lets_no_other_letter_through(name: str) -> None:
    for quoting in (naming.quoted, naming.pattern):
        with pytest.raises(NameRefused):
            quoting(name)
