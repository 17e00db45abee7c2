#include "repartee/base/error.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <set>

using namespace repartee;

TEST_CASE("every code has its own word and a status that fits")
{
    std::set<std::string_view> names;
    for (int i = 0; i <= static_cast<int>(Code::internal); ++i) {
        const Code code = static_cast<Code>(i);
        CAPTURE(name(code));
        CHECK(names.insert(name(code)).second);
        CHECK(std::ranges::all_of(name(code), [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; }));
        if (code == Code::ok)
            CHECK(http_status(code) == 200);
        else
            CHECK((http_status(code) >= 400 && http_status(code) < 600));
        CHECK(realtime_type(code) == (http_status(code) < 500 ? "invalid_request_error" : "server_error"));
    }
}

TEST_CASE("codes that clients know keep their words")
{
    CHECK(name(Code::commit_empty) == "input_audio_buffer_commit_empty");
    CHECK(name(Code::active_response) == "conversation_already_has_active_response");
    CHECK(name(Code::unauthorized) == "invalid_api_key");
    CHECK(name(Code::internal) == "internal_error");
    CHECK(http_status(Code::unauthorized) == 401);
    CHECK(http_status(Code::not_found) == 404);
    CHECK(http_status(Code::too_large) == 413);
    CHECK(http_status(Code::busy) == 503);
    CHECK(realtime_type(Code::invalid_value) == "invalid_request_error");
    CHECK(realtime_type(Code::busy) == "server_error");
}

TEST_CASE("a result holds a value or an error, and an unchecked error is a programming error")
{
    const auto half = [](int n) -> Result<int> {
        if (n % 2 != 0) return Error{Code::invalid_value, "The number is odd. Give an even one.", "n"};
        return n / 2;
    };
    CHECK(half(4).value() == 2);
    const auto failed = half(3);
    REQUIRE_FALSE(failed.has_value());
    CHECK(failed.error().code == Code::invalid_value);
    CHECK(failed.error().param == "n");
    CHECK(failed.error().upstream_code.empty());
    CHECK_THROWS_WITH(failed.value(), Catch::Matchers::Contains("invalid_value") && Catch::Matchers::Contains("The number is odd") &&
                                          Catch::Matchers::Contains("error_test.cpp"));
}
