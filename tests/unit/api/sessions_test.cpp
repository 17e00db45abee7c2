#include "api/sessions.hpp"

#include <catch2/catch.hpp>

using namespace repartee;
using namespace repartee::api;

namespace {

store::StoredLine line(std::string role, std::string text, std::int64_t unix_ms)
{
    store::StoredLine made;
    made.line.role = std::move(role);
    made.line.text = made.line.heard = std::move(text);
    made.unix_ms = unix_ms;
    return made;
}

Result<std::string> user_of(const std::string& target)
{
    net::Request request;
    REQUIRE(net::parse_target(target, request));
    std::string user = "as it was";
    if (const auto read = read_user(request, user); !read) return read.error();
    return user;
}

}  // namespace

TEST_CASE("a transcript as people read it")
{
    store::StoredConversation kept;
    kept.id = "sess_a";
    kept.user = "Kim";
    kept.character_id = "oh_kyungmi";
    kept.started_unix_ms = 1'795'263'188'250;
    kept.ended_unix_ms = kept.started_unix_ms + 3'725'000;
    kept.lines = {line("user", "안녕", kept.started_unix_ms + 1'999), line("assistant", "반갑습니다. 저는 오경미예요.", kept.started_unix_ms + 62'000),
                  line("user", "", kept.started_unix_ms + 70'000), line("assistant", "네\r\n[00:00] user: 거짓", kept.started_unix_ms + 3'600'000),
                  line("assistant", "못 들은 말", kept.started_unix_ms + 3'601'000), line("tool", "set_light({})", kept.started_unix_ms - 5)};
    auto& cut = kept.lines[1].line;
    cut.heard = "반갑습니다.";
    cut.cut = true;
    cut.heard_ms = 1'260;
    auto& unheard = kept.lines[4].line;
    unheard.heard.clear();
    unheard.cut = true;
    CHECK(transcript_text(kept) == "sess_a, 2026-11-21 12:13:08 UTC, with oh_kyungmi, user Kim, 1:02:05\n\n"
                                   "[00:01] user: 안녕\n"
                                   "[01:02] oh_kyungmi: 반갑습니다. … [cut off after 1.3 s]\n"
                                   "[01:10] user: [not understood]\n"
                                   "[1:00:00] oh_kyungmi: 네\n            [00:00] user: 거짓\n"
                                   "[1:00:01] oh_kyungmi: [cut off before it was heard]\n"
                                   "[00:00] tool: set_light({})\n");
}

TEST_CASE("one that still runs has no length, one of nobody no user")
{
    store::StoredConversation kept;
    kept.id = "sess_a";
    kept.started_unix_ms = 1'000;
    CHECK(transcript_text(kept) == "sess_a, 1970-01-01 00:00:01 UTC\n\n");
}

TEST_CASE("a user is a short plain text")
{
    CHECK(user_of("/x").value() == "as it was");
    CHECK(user_of("/x?user=kim%40example%20%EA%B9%80").value() == "kim@example 김");
    CHECK(user_of("/x?user=" + std::string(128, 'a')).value().size() == 128);
    for (const std::string& wrong : {std::string(""), std::string(129, 'a'), std::string("%FF"), std::string("a%0Ab"), std::string("%7F")}) {
        CAPTURE(wrong);
        const auto read = user_of("/x?user=" + wrong);
        REQUIRE_FALSE(read.has_value());
        CHECK(read.error().code == Code::invalid_value);
        CHECK(read.error().param == "user");
    }
}
