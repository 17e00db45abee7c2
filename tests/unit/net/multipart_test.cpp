#include "repartee/net/multipart.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <chrono>

using namespace repartee;
using namespace repartee::net;

namespace {

const std::string type = "multipart/form-data; boundary=XX";

std::string joined(std::vector<std::string> pieces)
{
    std::string all;
    for (const auto& piece : pieces) all += piece;
    return all;
}

std::string part(const std::string& disposition, const std::string& bytes)
{
    return "--XX\r\nContent-Disposition: form-data; " + disposition + "\r\n\r\n" + bytes + "\r\n";
}

Code refused(const std::string& content_type, const std::string& body, FormLimits limits = {})
{
    const auto parts = parse_multipart(content_type, body, limits);
    return parts ? Code::ok : parts.error().code;
}

}  // namespace

TEST_CASE("What is written is what is read")
{
    MultipartWriter writer;
    const std::string bytes("\0\r\n--\xff\r\n", 8);
    writer.field("model", "gpt-transcribe");
    writer.file("file", "a \"b\"\r\n.webm", "audio/webm", bytes);
    writer.field("empty", "");
    writer.file("second", "x.wav", "audio/wav\r\nInjected: yes", "");
    const std::string content_type = writer.content_type();
    auto pieces = writer.take();
    CHECK(std::ranges::count(pieces, bytes) == 1);
    const std::string body = joined(std::move(pieces));
    const auto parts = parse_multipart(content_type, body, {});
    REQUIRE(parts.has_value());
    REQUIRE(parts->size() == 4);
    CHECK((*parts)[0].name == "model");
    CHECK((*parts)[0].bytes == "gpt-transcribe");
    CHECK(!(*parts)[0].file_name);
    CHECK((*parts)[1].name == "file");
    CHECK((*parts)[1].file_name == "a \"b\"\r\n.webm");
    CHECK((*parts)[1].content_type == "audio/webm");
    CHECK((*parts)[1].bytes == bytes);
    CHECK((*parts)[2].bytes.empty());
    CHECK((*parts)[3].content_type == "audio/wav  Injected: yes");
    CHECK(find_part(*parts, "second") == &(*parts)[3]);
    CHECK(find_part(*parts, "none") == nullptr);
    CHECK(body.find("filename=\"a %22b%22%0D%0A.webm\"") != std::string::npos);
}

TEST_CASE("Two writers do not share a boundary, and an empty form is a form")
{
    MultipartWriter one, two;
    CHECK(one.content_type() != two.content_type());
    const auto parts = parse_multipart(one.content_type(), joined(one.take()), {});
    REQUIRE(parts.has_value());
    CHECK(parts->empty());
}

TEST_CASE("Forms are read as different clients write them")
{
    const std::string a = part("name=\"a\"", "1");
    const struct {
        const char* what;
        std::string content_type, body;
    } rows[] = {
        {"plain", type, a + "--XX--\r\n"},
        {"boundary in quotes", "Multipart/Form-Data; charset=utf-8; Boundary=\"XX\"", a + "--XX--"},
        {"preamble and epilogue", type, "This is a form.\r\n" + a + "--XX--\r\nepilogue --XX\r\n--XX\r\n"},
        {"line feeds only", type, "--XX\nContent-Disposition: form-data; name=\"a\"\n\n1\n--XX--\n"},
        {"white space behind the boundary", type, "--XX \t\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--XX--"},
        {"name without quotes, other header", type, "--XX\r\nX: y\r\ncontent-disposition:form-data;name=a\r\n\r\n1\r\n--XX--"},
    };
    for (const auto& row : rows) {
        CAPTURE(row.what);
        const auto parts = parse_multipart(row.content_type, row.body, {});
        REQUIRE(parts.has_value());
        REQUIRE(parts->size() == 1);
        CHECK((*parts)[0].name == "a");
        CHECK((*parts)[0].bytes == "1");
    }
}

TEST_CASE("What only looks like a boundary is content")
{
    const std::string tricky = "x--XX\r\n-XX\r\n --XX\r\n--XXY\r\n--X\r\n";
    const std::string body = part("name=\"a\"", tricky) + "--XX\r\nContent-Disposition: form-data; name=\"b\"\r\n\r\n--XX--";
    const auto parts = parse_multipart(type, body, {});
    REQUIRE(parts.has_value());
    REQUIRE(parts->size() == 2);
    CHECK((*parts)[0].bytes == tricky);
    CHECK((*parts)[1].bytes.empty());
}

TEST_CASE("File names in all their forms")
{
    const struct {
        const char *disposition, *expected;
    } rows[] = {
        {"name=\"a\"; filename=\"x.wav\"", "x.wav"},
        {"name=\"a\"; filename=x.wav", "x.wav"},
        {"name=\"a\"; filename=\"say \\\"hi\\\".wav\"", "say \"hi\".wav"},
        {"name=\"a\"; filename=\"C:\\dir\\x.wav\"", "C:\\dir\\x.wav"},
        {"name=\"a\"; filename=\"a;b=c.wav\"; size=3", "a;b=c.wav"},
        {"name=\"a\"; filename=\"\"", ""},
        {"name=\"a\"; filename=\"fallback\"; filename*=UTF-8''%EB%8B%B5.webm", "\xEB\x8B\xB5.webm"},
        {"filename*=utf-8'ko'%41; filename=\"b\"; name=\"a\"", "A"},
        {"name=\"a\"; filename=\"kept\"; filename*=UTF-8''%4", "kept"},
        {"name=\"a\"; filename=\"kept\"; filename*=latin1''x", "kept"},
        {"name=\"a\"; filename=\"open", "open"},
    };
    for (const auto& row : rows) {
        CAPTURE(row.disposition);
        const std::string body = part(row.disposition, "1") + "--XX--";
        const auto parts = parse_multipart(type, body, {});
        REQUIRE(parts.has_value());
        CHECK((*parts)[0].name == "a");
        CHECK((*parts)[0].file_name == row.expected);
    }
}

TEST_CASE("Forms that are none are refused, with the place")
{
    const std::string a = part("name=\"a\"", "1");
    CHECK(refused("application/json", a) == Code::unsupported_content);
    CHECK(refused("", a) == Code::unsupported_content);
    CHECK(refused("multipart/form-data", a) == Code::invalid_value);
    CHECK(refused("multipart/form-data; boundary=\"\"", a) == Code::invalid_value);
    CHECK(refused("multipart/form-data; boundary=" + std::string(71, 'x'), a) == Code::invalid_value);
    CHECK(refused("multipart/form-data; boundary=" + std::string(70, 'x'), "--" + std::string(70, 'x') + "--") == Code::ok);
    CHECK(refused(type, "") == Code::invalid_value);
    CHECK(refused(type, "no boundary at all") == Code::invalid_value);
    CHECK(refused(type, a) == Code::invalid_value);
    CHECK(refused(type, a + "--XX") == Code::invalid_value);
    CHECK(refused(type, "--XX\r\nContent-Disposition: form-data\r\n\r\n1\r\n--XX--") == Code::invalid_value);
    CHECK(refused(type, "--XX\r\nContent-Disposition: attachment; name=\"a\"\r\n\r\n1\r\n--XX--") == Code::invalid_value);
    CHECK(refused(type, "--XX\r\n\r\n1\r\n--XX--") == Code::invalid_value);
    CHECK(refused(type, "--XX\r\nno colon\r\n\r\n1\r\n--XX--") == Code::invalid_value);
    const std::string long_header = "--XX\r\nContent-Disposition: form-data; name=\"a\"\r\nX: " + std::string(5000, 'x') + "\r\n\r\n1\r\n--XX--";
    CHECK(refused(type, long_header) == Code::invalid_value);
    CHECK_THAT(parse_multipart(type, a + part("x=y", "1") + "--XX--", {}).error().message, Catch::Contains("at byte 59"));

    std::string many;
    for (int i = 0; i < 10'000; ++i) many += part("name=\"a\"", "");
    CHECK(refused(type, many + "--XX--") == Code::too_large);
    FormLimits limits;
    limits.parts_max = 1;
    CHECK(refused(type, a + "--XX--", limits) == Code::ok);
    CHECK(refused(type, a + a + "--XX--", limits) == Code::too_large);
}

TEST_CASE("No body makes the parser slow")
{
    std::string body = part("name=\"a\"", std::string(20'000'000, '-') + "\r\n--X\r\n");
    for (int i = 0; i < 1'000'000; ++i) body += "\r\n--XX";
    const auto begun = std::chrono::steady_clock::now();
    CHECK(refused(type, body) == Code::invalid_value);
    CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(5));
}
