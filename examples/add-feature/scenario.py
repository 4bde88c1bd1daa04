"""A login for a small Express service. The answers decide how long a token lives and where it travels."""

import re
from collections.abc import Sequence

from samoloop.demo.scenario import Answers, Edit, Fault, Item, Option, Question, Scenario, Write
from samoloop.demo.visit import Hit

SECONDS = {"minute": 60, "hour": 3600, "day": 86400}


def read_lifetime(words: str) -> Option | None:
    found = re.search(r"(\d+)\s*(minute|hour|day)s?", words.lower())
    if not found or not 1 <= int(found[1]) <= 1000:
        return None
    return Option(f"{found[1]} {found[2]}s", int(found[1]) * SECONDS[found[2]])


def read_carrier(words: str) -> Option | None:
    return next((option for option in CARRIERS if option.value in words.lower()), None)


CARRIERS = (
    Option("in the Authorization header, as a bearer token", "header"),
    Option("in an HttpOnly cookie", "cookie"),
)
QUESTIONS = (
    Question(
        key="lifetime",
        title="How long does a token live?",
        why="A stolen one is good for that long; a short one means logging in again. Words will do, as in: 30 minutes.",
        options=(Option("1 hour", 3600), Option("15 minutes", 900), Option("24 hours", 86400)),
        reason="long enough for a sitting, short enough to lose",
        read=read_lifetime,
    ),
    Question(
        key="carrier",
        title="How does a client send its token?",
        why="Programs like a header. Browsers are safer with a cookie that no script can read.",
        options=CARRIERS,
        reason="the service is used by programs; the README shows curl",
        read=read_carrier,
    ),
)


def explain(hits: Sequence[Hit]) -> str:
    def places(words: str) -> str:
        return ", ".join(f"`{hit.place}`" for hit in hits if words in hit.text) or "no place"

    return (
        f"One route changes something ({places('app.post(')}); it is the one to guard. Whether a password is right is "
        f"known already ({places('export function knows')}). The service is put together in "
        f"{places('export function createApp')} and started in {places('.listen(port')}: the secret belongs to the "
        "latter, so that tests can bring their own."
    )


def requirements(answers: Answers) -> Sequence[str]:
    where = "the Authorization header" if answers["carrier"] == "header" else "an HttpOnly cookie"
    return (
        f"POST /login with a known name and password gives a token that lives {answers['lifetime']} seconds",
        f"POST /books needs that token in {where}, else the answer is 401",
        "reading books needs no token",
        "the server does not start without JWT_SECRET",
    )


TOKENS = """\
// Tokens that say who is logged in.

import jwt from "jsonwebtoken";

export const LIFETIME_SECONDS = %(lifetime)s;
const ALGORITHM = "HS256";

// Issues and reads tokens with one secret. Throws where there is none.
export function createTokens(secret) {
  if (!secret) {
    throw new Error("JWT_SECRET is not set: give the service a secret of its own");
  }
  return {
    issue: (name) => jwt.sign({}, secret, { algorithm: ALGORITHM, expiresIn: LIFETIME_SECONDS, subject: name }),
    // The name in a token; null where it is forged, too old, or none at all.
    read(token) {
      try {
        return jwt.verify(token, secret, { algorithms: [ALGORITHM] }).sub;
      } catch {
        return null;
      }
    },
  };
}
"""
TOKENS_TEST = """\
import assert from "node:assert/strict";
import { test } from "node:test";

import jwt from "jsonwebtoken";

import { createTokens, LIFETIME_SECONDS } from "../src/tokens.js";

const tokens = createTokens("a secret of the tests");

test("a token says who it was issued to", () => {
  assert.equal(tokens.read(tokens.issue("ada")), "ada");
});

test("a token lives as long as agreed", () => {
  const { iat, exp } = jwt.decode(tokens.issue("ada"));
  assert.equal(exp - iat, LIFETIME_SECONDS);
  assert.equal(LIFETIME_SECONDS, %(lifetime)s);
});

test("a token of another secret says nothing", () => {
  assert.equal(tokens.read(createTokens("another secret").issue("ada")), null);
});

test("a token that is too old says nothing", () => {
  const old = jwt.sign({ exp: 1 }, "a secret of the tests", { subject: "ada" });
  assert.equal(tokens.read(old), null);
});

test("an unsigned token says nothing", () => {
  assert.equal(tokens.read(jwt.sign({}, null, { algorithm: "none", subject: "ada" })), null);
});

test("without a secret there are no tokens", () => {
  assert.throws(() => createTokens(undefined), /JWT_SECRET/);
});
"""
LOGIN = {
    "header": """\
    response.json({ token: tokens.issue(name), expires_in: LIFETIME_SECONDS });
""",
    "cookie": """\
    const life = { httpOnly: true, sameSite: "strict", maxAge: LIFETIME_SECONDS * 1000 };
    response.cookie("token", tokens.issue(name), life).json({ expires_in: LIFETIME_SECONDS });
""",
}
TOKEN_OF = {
    "header": """\
// The token that a request brings along; undefined where there is none.
function tokenOf(request) {
  return /^Bearer (\\S+)$/.exec(request.headers.authorization ?? "")?.[1];
}
""",
    "cookie": """\
// The token that a request brings along; undefined where there is none.
function tokenOf(request) {
  return /(?:^|; )token=([^;]+)/.exec(request.headers.cookie ?? "")?.[1];
}
""",
}
CREDENTIALS = {
    "header": "{ authorization: `Bearer ${(await response.json()).token}` }",
    "cookie": '{ cookie: response.headers.get("set-cookie").split(";")[0] }',
}
BAD_CREDENTIALS = {
    "header": '{ authorization: "Bearer not.a.token" }',
    "cookie": '{ cookie: "token=not.a.token" }',
}
LOGIN_TEST = """\
import assert from "node:assert/strict";
import { test } from "node:test";

import { withService } from "./service.js";

const ADA = { name: "ada", password: "analytical engine" };

test("who knows the password gets a token", () =>
  withService(async ({ post }) => {
    const response = await post("/login", ADA);
    assert.equal(response.status, 200);
    assert.ok((await response.json()).expires_in > 0);
  }));

test("a wrong password and an unknown name get the same answer", () =>
  withService(async ({ post }) => {
    const answers = await Promise.all([
      post("/login", { ...ADA, password: "difference engine" }),
      post("/login", { ...ADA, name: "charles" }),
    ]);
    assert.deepEqual(answers.map((answer) => answer.status), [401, 401]);
    const [one, other] = await Promise.all(answers.map((answer) => answer.text()));
    assert.equal(one, other);
  }));
"""
GUARD_TEST = """
test("adding a book needs a token, reading does not", () =>
  withService(async ({ get, post }) => {
    const book = { title: "Momo", author: "Michael Ende" };
    assert.equal((await post("/books", book)).status, 401);
    assert.equal((await post("/books", book, %(bad)s)).status, 401);
    const response = await post("/login", ADA);
    assert.equal((await post("/books", book, %(good)s)).status, 201);
    assert.equal((await (await get("/books")).json()).length, 2);
  }));
"""
FAULT_TEST = """
test("a login without a password is a bad request", () =>
  withService(async ({ post }) => {
    assert.equal((await post("/login", { name: "ada" })).status, 400);
    assert.equal((await post("/login", { ...ADA, password: 1 })).status, 400);
    assert.equal((await post("/login", undefined)).status, 400);
  }));
"""
README = {
    "header": """\
    token=$(curl -s localhost:3000/login -H 'content-type: application/json' \\
      -d '{"name": "ada", "password": "analytical engine"}' | sed 's/.*"token":"\\([^"]*\\)".*/\\1/')
    curl localhost:3000/books -H "authorization: Bearer $token" -H 'content-type: application/json' \\
      -d '{"title": "Momo", "author": "Michael Ende"}'
""",
    "cookie": """\
    curl -c cookies localhost:3000/login -H 'content-type: application/json' \\
      -d '{"name": "ada", "password": "analytical engine"}'
    curl -b cookies localhost:3000/books -H 'content-type: application/json' \\
      -d '{"title": "Momo", "author": "Michael Ende"}'
""",
}


def items(answers: Answers) -> Sequence[Item]:
    return (the_tokens(answers), the_login(answers), the_guard(answers))


def the_tokens(answers: Answers) -> Item:
    return Item(
        "tokens are issued and read in one place",
        (
            Write("src/tokens.js", TOKENS % answers),
            Write("tests/tokens.test.js", TOKENS_TEST % answers),
        ),
        why="The algorithm is named when reading too, so an unsigned token is not taken for a signed one.",
        proof="forged, old and unsigned tokens say nothing",
    )


def the_login(answers: Answers) -> Item:
    route = f"""\
  app.post("/login", (request, response) => {{
    const {{ name, password }} = request.body;
    if (!knows(name, password)) {{
      response.status(401).json({{ error: "name or password is wrong" }});
      return;
    }}
{LOGIN[answers["carrier"]]}  }});

  app.get("/books", (request, response) => {{
"""
    return Item(
        "people can log in",
        (
            Edit(
                "src/app.js",
                'import { Shelf } from "./shelf.js";\n\nexport function createApp(shelf = new Shelf()) {\n',
                'import { knows } from "./people.js";\nimport { Shelf } from "./shelf.js";\n'
                'import { LIFETIME_SECONDS } from "./tokens.js";\n\n'
                "export function createApp(tokens, shelf = new Shelf()) {\n",
            ),
            Edit("src/app.js", '  app.get("/books", (request, response) => {\n', route),
            Edit(
                "src/server.js",
                'import { createApp } from "./app.js";\n',
                'import { createApp } from "./app.js";\nimport { createTokens } from "./tokens.js";\n',
            ),
            Edit("src/server.js", "createApp()", "createApp(createTokens(process.env.JWT_SECRET))"),
            Edit(
                "tests/service.js",
                'import { createApp } from "../src/app.js";\n',
                'import { createApp } from "../src/app.js";\nimport { createTokens } from "../src/tokens.js";\n',
            ),
            Edit("tests/service.js", "createApp()", 'createApp(createTokens("a secret of the tests"))'),
            Write("tests/login.test.js", LOGIN_TEST),
        ),
        why="The secret comes in from outside, so the tests have one of their own and the server has to be given one.",
        proof="right and wrong passwords",
    )


def the_guard(answers: Answers) -> Item:
    carrier = answers["carrier"]
    credentials = {"good": CREDENTIALS[carrier], "bad": BAD_CREDENTIALS[carrier]}
    last = "    assert.equal(one, other);\n  }));\n"
    guard = """\
  app.post("/books", (request, response) => {
    if (tokens.read(tokenOf(request)) === null) {
      response.status(401).json({ error: "log in first: POST /login" });
      return;
    }
"""
    return Item(
        "adding a book needs a token",
        (
            Edit("src/app.js", '  app.post("/books", (request, response) => {\n', guard),
            Edit("src/app.js", "  return app;\n}\n", f"  return app;\n}}\n\n{TOKEN_OF[carrier]}"),
            Edit("tests/login.test.js", last, last + GUARD_TEST % credentials),
            Edit(
                "README.md",
                "    npm start                                   # on port 3000, or PORT\n",
                "    JWT_SECRET=$(openssl rand -hex 32) npm start     # on port 3000, or PORT\n",
            ),
            Edit(
                "README.md",
                "    curl localhost:3000/books -H 'content-type: application/json' "
                '-d \'{"title": "Momo", "author": "Michael Ende"}\'\n',
                f"\nAdding a book needs a login:\n\n{README[carrier]}",
            ),
        ),
        why="Reading stays open to everybody.",
        proof="no token, a wrong one, a right one",
    )


FAULT = Fault(
    edge="a login without a password",
    test=Edit(
        "tests/login.test.js",
        '\ntest("adding a book needs a token',
        FAULT_TEST + '\ntest("adding a book needs a token',
    ),
    mend=Edit(
        "src/app.js",
        """\
    const { name, password } = request.body;
""",
        """\
    const { name, password } = request.body ?? {};
    if (typeof name !== "string" || typeof password !== "string") {
      response.status(400).json({ error: "a login needs a name and a password" });
      return;
    }
""",
    ),
    cause="The password went to the hash function as it came, so the answer was an error 500.",
    subject="A login without a password is a bad request",
)

SCENARIO = Scenario(
    slug="jwt-login",
    look_for=(r"app\.(get|post)\(", "export function", r"\.listen\(", "process.env", "createApp"),
    explain=explain,
    tests=("npm", "test"),
    questions=QUESTIONS,
    requirements=requirements,
    items=items,
    fault=FAULT,
    remarks=("Nothing slows down somebody who guesses passwords; a limit on /login would.",),
    out_of_scope=("Signing up, changing passwords, logging out.", "Other dependencies."),
)
