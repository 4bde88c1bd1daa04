import unittest

from tollgate.app import build
from tollgate.http import Request, Response

SETTINGS = {
    "plans": {"free": {"per_minute": 60, "burst": 2}, "paid": {"per_minute": 600, "burst": 20}},
    "keys": {"k-free": "free", "k-paid": "paid"},
}


class LimitsTest(unittest.TestCase):
    def setUp(self) -> None:
        self.now = 0.0
        self.app = build(SETTINGS, lambda: self.now)

    def get(self, key: str = "", path: str = "/weather") -> Response:
        return self.app(Request("GET", path, {"x-api-key": key} if key else {}))

    def test_a_caller_may_use_its_burst(self) -> None:
        self.assertEqual([self.get("k-free").status for _ in range(3)], [200, 200, 429])

    def test_a_refused_caller_learns_when_to_come_back(self) -> None:
        refused = [self.get("k-free") for _ in range(3)][-1]
        self.assertEqual(refused.headers["retry-after"], "1")

    def test_time_refills_the_bucket(self) -> None:
        for _ in range(3):
            self.get("k-free")
        self.now += 1
        self.assertEqual(self.get("k-free").status, 200)

    def test_callers_do_not_share_a_bucket(self) -> None:
        for _ in range(3):
            self.get("k-free")
        self.assertEqual(self.get("k-paid").headers["x-ratelimit-left"], "19")

    def test_callers_without_a_key_share_one(self) -> None:
        self.assertEqual([self.get().status for _ in range(4)], [200, 200, 200, 429])

    def test_an_unknown_key_has_the_anonymous_rate_of_its_own(self) -> None:
        for _ in range(4):
            self.get()
        self.assertEqual(self.get("k-unknown").headers["x-ratelimit-left"], "2")

    def test_health_is_not_limited(self) -> None:
        self.assertEqual({self.get(path="/health").status for _ in range(10)}, {200})
