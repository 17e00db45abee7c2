#include "../../../src/realtime/scan.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace repartee::realtime::scan;

namespace {

const char* naive_special(const char* p, const char* end)
{
    while (p != end && *p != '"' && *p != '\\' && static_cast<unsigned char>(*p) >= 0x20) ++p;
    return p;
}

MemberReader::Step last_step(std::string_view json)
{
    MemberReader members(json);
    auto step = members.next();
    while (step == MemberReader::Step::member) step = members.next();
    return step;
}

}  // namespace

TEST_CASE("the search for the end of a string agrees with a loop at every length and position")
{
    for (std::size_t length = 0; length <= 150; ++length) {
        std::vector<char> text(length, 'A');
        REQUIRE(find_string_special(text.data(), text.data() + length) == text.data() + length);
        for (std::size_t at = 0; at < length; ++at) {
            for (const char special : {'"', '\\', '\n', '\0', '\x1F'}) {
                text[at] = special;
                const char* found = find_string_special(text.data(), text.data() + length);
                REQUIRE(found == text.data() + at);
                REQUIRE(found == naive_special(text.data(), text.data() + length));
            }
            text[at] = 'A';
        }
    }
}

TEST_CASE("every byte is judged alike in a vector and alone")
{
    for (int byte = 0; byte < 256; ++byte) {
        const std::string block(64, static_cast<char>(byte));
        const std::string lone(1, static_cast<char>(byte));
        const bool in_block = find_string_special(block.data(), block.data() + block.size()) == block.data();
        const bool alone = find_string_special(lone.data(), lone.data() + 1) == lone.data();
        CAPTURE(byte);
        CHECK(in_block == alone);
        CHECK(alone == (byte < 0x20 || byte == '"' || byte == '\\'));
    }
}

TEST_CASE("every byte is judged alike far behind in a long string")
{
    constexpr std::size_t length = 240;
    for (int byte = 0; byte < 256; ++byte) {
        const bool is_special = byte < 0x20 || byte == '"' || byte == '\\';
        for (std::size_t at = 0; at < length; ++at) {
            std::string text(length, 'A');
            text[at] = static_cast<char>(byte);
            const std::size_t found = static_cast<std::size_t>(find_string_special(text.data(), text.data() + length) - text.data());
            if (found != (is_special ? at : length)) FAIL("byte " << byte << " at " << at << ": found at " << found);
        }
    }
    SUCCEED();
}

TEST_CASE("members come with their keys and values in order")
{
    MemberReader members(R"( { "a" : "x\"y" , "b":-12.5e+3,"c":[{"d":"]}"},[]], "e" : null } )");
    REQUIRE(members.next() == MemberReader::Step::member);
    CHECK(members.key().raw == "a");
    CHECK(members.value().kind == Value::Kind::string);
    CHECK(members.value().text.raw == R"(x\"y)");
    CHECK(members.value().text.escaped);
    REQUIRE(members.next() == MemberReader::Step::member);
    CHECK(members.value().token == "-12.5e+3");
    CHECK_FALSE(members.value().integer());
    REQUIRE(members.next() == MemberReader::Step::member);
    CHECK(members.key().raw == "c");
    CHECK(members.value().kind == Value::Kind::nested);
    REQUIRE(members.next() == MemberReader::Step::member);
    CHECK(members.value().is_null());
    CHECK(members.next() == MemberReader::Step::end);
    CHECK(members.next() == MemberReader::Step::malformed);
}

TEST_CASE("documents that are no JSON object are malformed")
{
    const char* documents[] = {
        "",
        " ",
        "{",
        "}",
        "[]",
        "null",
        "{,}",
        R"({"a"})",
        R"({"a":})",
        R"({"a":1,})",
        R"({"a":1 "b":2})",
        R"({"a":1}x)",
        R"({"a":1}{})",
        R"({"a":"x)",
        R"({"a":"x\)",
        R"({"a":"x\")",
        R"({a:1})",
        R"({"a":01})",
        R"({"a":1.})",
        R"({"a":.5})",
        R"({"a":-})",
        R"({"a":1e})",
        R"({"a":+1})",
        R"({"a":nul})",
        R"({"a":True})",
        R"({"a":[1})",
        R"({"a":{]})",
        R"({"a":["x})",
        R"({"a":[;]})",
        "{\"a\":\"line\nbreak\"}",
    };
    for (const char* document : documents) {
        CAPTURE(document);
        CHECK(last_step(document) == MemberReader::Step::malformed);
    }
}

TEST_CASE("small documents are walked to their end")
{
    for (const char* document : {"{}", " {\t}\r\n", R"({"":0})", R"({"a":-0,"b":1E5,"c":true,"d":false})", R"({"a":[[[[]]],{}]})"}) {
        CAPTURE(document);
        CHECK(last_step(document) == MemberReader::Step::end);
    }
}

TEST_CASE("nesting is bounded")
{
    const auto nested = [](std::size_t depth) { return R"({"a":)" + std::string(depth, '[') + std::string(depth, ']') + "}"; };
    CHECK(last_step(nested(64)) == MemberReader::Step::end);
    CHECK(last_step(nested(65)) == MemberReader::Step::malformed);
    CHECK(last_step(nested(100'000)) == MemberReader::Step::malformed);
}

TEST_CASE("integers are read whole or not at all")
{
    const auto integer = [](std::string_view token) { return Value{Value::Kind::scalar, {}, token}.integer(); };
    CHECK(integer("0") == 0);
    CHECK(integer("-7") == -7);
    CHECK(integer("9223372036854775807") == 9223372036854775807);
    CHECK_FALSE(integer("9223372036854775808"));
    CHECK_FALSE(integer("1.0"));
    CHECK_FALSE(integer("1e3"));
    CHECK_FALSE(integer("true"));
}
