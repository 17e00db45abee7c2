#include "repartee/providers/retry.hpp"

#include <catch2/catch.hpp>

using namespace repartee;
using namespace repartee::providers;

TEST_CASE("what is asked again, and when")
{
    const struct {
        const char* what;
        Attempt attempt;
        int retries;
        std::optional<int> wait_ms;
    } table[] = {
        {"500", {500, Code::ok, "", "", false, 1}, 1, 200},
        {"502", {502, Code::ok, "", "", false, 1}, 1, 200},
        {"503", {503, Code::ok, "", "", false, 1}, 1, 200},
        {"504", {504, Code::ok, "", "", false, 1}, 1, 200},
        {"408", {408, Code::ok, "", "", false, 1}, 1, 200},
        {"the second time waits twice as long", {500, Code::ok, "", "", false, 2}, 2, 400},
        {"the third time four times", {500, Code::ok, "", "", false, 3}, 5, 800},
        {"never longer than the limit", {500, Code::ok, "", "", false, 5}, 5, 2000},
        {"once is once", {500, Code::ok, "", "", false, 2}, 1, std::nullopt},
        {"not at all", {500, Code::ok, "", "", false, 1}, 0, std::nullopt},
        {"429", {429, Code::ok, "rate_limit_exceeded", "", false, 1}, 1, 200},
        {"429 with a wait", {429, Code::ok, "", "1", false, 1}, 1, 1000},
        {"429 with a fraction", {429, Code::ok, "", "0.25", false, 1}, 1, 250},
        {"429 at once", {429, Code::ok, "", "0", false, 1}, 1, 0},
        {"429 with too long a wait", {429, Code::ok, "", "3", false, 1}, 1, std::nullopt},
        {"503 with too long a wait", {503, Code::ok, "", "60", false, 1}, 1, std::nullopt},
        {"429 with a date", {429, Code::ok, "", "Wed, 21 Oct 2026 07:28:00 GMT", false, 1}, 1, std::nullopt},
        {"429 with nonsense", {429, Code::ok, "", "-1", false, 1}, 1, std::nullopt},
        {"429 with a number beyond all", {429, Code::ok, "", "1e99", false, 1}, 1, std::nullopt},
        {"quota", {429, Code::ok, "insufficient_quota", "1", false, 1}, 1, std::nullopt},
        {"400", {400, Code::ok, "", "", false, 1}, 1, std::nullopt},
        {"401", {401, Code::ok, "", "", false, 1}, 1, std::nullopt},
        {"404", {404, Code::ok, "", "", false, 1}, 1, std::nullopt},
        {"413", {413, Code::ok, "", "", false, 1}, 1, std::nullopt},
        {"501", {501, Code::ok, "", "", false, 1}, 1, std::nullopt},
        {"301", {301, Code::ok, "", "", false, 1}, 1, std::nullopt},
        {"no connection", {0, Code::closed, "", "", false, 1}, 1, 200},
        {"after a byte", {0, Code::closed, "", "", true, 1}, 1, std::nullopt},
        {"after a byte of an error", {500, Code::ok, "", "", true, 1}, 1, std::nullopt},
        {"time limit", {0, Code::timeout, "", "", false, 1}, 1, std::nullopt},
        {"certificate", {0, Code::tls, "", "", false, 1}, 1, std::nullopt},
        {"stopped", {0, Code::cancelled, "", "", false, 1}, 1, std::nullopt},
        {"no HTTP", {0, Code::protocol, "", "", false, 1}, 1, std::nullopt},
    };
    for (const auto& row : table) {
        INFO(row.what);
        const auto wait = retry_wait(row.attempt, row.retries, milliseconds(2000), 0.5);
        REQUIRE(wait.has_value() == row.wait_ms.has_value());
        if (wait) CHECK(wait->count() == *row.wait_ms);
    }
}

TEST_CASE("the wait is spread by a quarter to both sides")
{
    Attempt attempt;
    attempt.status = 500;
    CHECK(retry_wait(attempt, 1, milliseconds(2000), 0.0) == milliseconds(150));
    CHECK(retry_wait(attempt, 1, milliseconds(2000), 0.9999) == milliseconds(250));
}
