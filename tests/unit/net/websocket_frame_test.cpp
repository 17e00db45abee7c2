#include "repartee/net/websocket_frame.hpp"

#include <catch2/catch.hpp>
#include <numeric>
#include <random>

using namespace repartee;
using namespace repartee::net;

namespace {

using Bytes = std::vector<std::byte>;

Bytes bytes(std::initializer_list<int> values)
{
    Bytes out;
    for (const int v : values) out.push_back(static_cast<std::byte>(v));
    return out;
}

Bytes bytes(std::string_view text)
{
    const auto* at = reinterpret_cast<const std::byte*>(text.data());
    return {at, at + text.size()};
}

bool valid_utf8(std::string_view text) { return is_valid_utf8(bytes(text)); }

}  // namespace

TEST_CASE("A frame header is read from every length form")
{
    struct Row {
        Bytes in;
        bool fin;
        Opcode opcode;
        bool masked;
        std::uint64_t payload_bytes;
        std::size_t header_bytes;
    };
    const Row rows[] = {
        {bytes({0x81, 0x00}), true, Opcode::text, false, 0, 2},
        {bytes({0x81, 0x05}), true, Opcode::text, false, 5, 2},
        {bytes({0x02, 0x7d}), false, Opcode::binary, false, 125, 2},
        {bytes({0x82, 0x7e, 0x00, 0x7e}), true, Opcode::binary, false, 126, 4},
        {bytes({0x80, 0x7e, 0xff, 0xff}), true, Opcode::continuation, false, 65535, 4},
        {bytes({0x82, 0x7f, 0, 0, 0, 0, 0, 1, 0, 0}), true, Opcode::binary, false, 65536, 10},
        {bytes({0x82, 0x7f, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}), true, Opcode::binary, false, 0x7fffffffffffffff, 10},
        {bytes({0x88, 0x80, 1, 2, 3, 4}), true, Opcode::close, true, 0, 6},
        {bytes({0x89, 0xfd, 1, 2, 3, 4}), true, Opcode::ping, true, 125, 6},
        {bytes({0x8a, 0x81, 1, 2, 3, 4}), true, Opcode::pong, true, 1, 6},
        {bytes({0x81, 0xfe, 0x01, 0x00, 1, 2, 3, 4}), true, Opcode::text, true, 256, 8},
        {bytes({0x81, 0xff, 0, 0, 0, 0, 1, 0, 0, 0, 1, 2, 3, 4}), true, Opcode::text, true, 0x1000000, 14},
    };
    for (const Row& row : rows) {
        INFO("header of " << row.in.size() << " bytes for " << row.payload_bytes);
        for (std::size_t n = 0; n < row.in.size(); ++n) {
            const auto partial = parse_frame_header(std::span(row.in).first(n));
            REQUIRE(partial.has_value());
            REQUIRE_FALSE(partial->has_value());
        }
        const auto parsed = parse_frame_header(row.in);
        REQUIRE(parsed.has_value());
        REQUIRE(parsed->has_value());
        const FrameHeader& header = **parsed;
        CHECK(header.fin == row.fin);
        CHECK(header.opcode == row.opcode);
        CHECK(header.masked == row.masked);
        CHECK(header.payload_bytes == row.payload_bytes);
        CHECK(header.header_bytes == row.header_bytes);
        if (row.masked) CHECK(header.mask == std::array<std::uint8_t, 4>{1, 2, 3, 4});

        std::array<std::byte, frame_header_bytes_max> out{};
        const std::size_t written = write_frame_header(row.fin, row.opcode, row.payload_bytes, row.masked ? &header.mask : nullptr, out.data());
        CHECK(Bytes(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(written)) == row.in);
    }
}

TEST_CASE("A frame header that breaks RFC 6455 is a protocol error")
{
    const Bytes rows[] = {
        bytes({0xc1, 0x00}),                                    // RSV1
        bytes({0xa1, 0x00}),                                    // RSV2
        bytes({0x91, 0x00}),                                    // RSV3
        bytes({0x83, 0x00}),                                    // opcode 3
        bytes({0x87, 0x00}),                                    // opcode 7
        bytes({0x8b, 0x00}),                                    // opcode 11
        bytes({0x8f, 0x00}),                                    // opcode 15
        bytes({0x09, 0x00}),                                    // fragmented ping
        bytes({0x08, 0x00}),                                    // fragmented close
        bytes({0x89, 0x7e}),                                    // ping of 126 bytes or more
        bytes({0x88, 0x7f}),                                    // close of 64 KiB or more
        bytes({0x82, 0x7e, 0x00, 0x7d}),                        // 125 in two bytes
        bytes({0x82, 0x7f, 0, 0, 0, 0, 0, 0, 0xff, 0xff}),      // 65535 in eight bytes
        bytes({0x82, 0x7f, 0x80, 0, 0, 0, 0, 0, 0, 0}),         // 2^63
    };
    for (const Bytes& row : rows) {
        INFO(std::to_integer<int>(row[0]) << ' ' << std::to_integer<int>(row[1]));
        const auto parsed = parse_frame_header(row);
        REQUIRE(parsed.has_error());
        CHECK(parsed.error().code == Code::protocol);
    }
}

TEST_CASE("Masking agrees with the byte-wise definition at every length, alignment and offset")
{
    std::mt19937 random(1);
    const std::array<std::uint8_t, 4> mask{0x37, 0xfa, 0x21, 0x3d};
    for (std::size_t length = 0; length <= 160; ++length)
        for (std::size_t start = 0; start < 8; ++start)
            for (std::size_t offset = 0; offset < 5; ++offset) {
                Bytes buffer(start + length + 1);
                for (auto& b : buffer) b = static_cast<std::byte>(random());
                Bytes expected = buffer;
                for (std::size_t i = 0; i < length; ++i) expected[start + i] ^= static_cast<std::byte>(mask[(offset + i) % 4]);
                apply_mask(std::span(buffer).subspan(start, length), mask, offset);
                REQUIRE(buffer == expected);
            }
}

TEST_CASE("Masking in pieces equals masking at once")
{
    std::mt19937 random(2);
    const std::array<std::uint8_t, 4> mask{1, 0x80, 0xff, 7};
    for (int round = 0; round < 200; ++round) {
        Bytes whole(random() % 5000);
        for (auto& b : whole) b = static_cast<std::byte>(random());
        Bytes pieces = whole;
        apply_mask(whole, mask);
        for (std::size_t done = 0; done < pieces.size();) {
            const std::size_t n = std::min<std::size_t>(1 + random() % 97, pieces.size() - done);
            apply_mask(std::span(pieces).subspan(done, n), mask, done);
            done += n;
        }
        REQUIRE(pieces == whole);
    }
}

TEST_CASE("Frames survive a round trip")
{
    std::mt19937 random(3);
    for (int round = 0; round < 500; ++round) {
        const std::uint64_t sizes[] = {random() % 130, random() % 70'000, (std::uint64_t{random()} << 31) | random()};
        const std::uint64_t size = sizes[random() % 3];
        std::array<std::uint8_t, 4> mask{};
        for (auto& m : mask) m = static_cast<std::uint8_t>(random());
        const bool masked = random() % 2, fin = random() % 2;
        std::array<std::byte, frame_header_bytes_max> out{};
        const std::size_t written = write_frame_header(fin, Opcode::binary, size, masked ? &mask : nullptr, out.data());
        const auto parsed = parse_frame_header(std::span(out).first(written));
        REQUIRE(parsed.has_value());
        REQUIRE(parsed->has_value());
        CHECK((*parsed)->payload_bytes == size);
        CHECK((*parsed)->header_bytes == written);
        CHECK((*parsed)->fin == fin);
        CHECK((*parsed)->masked == masked);
        if (masked) CHECK((*parsed)->mask == mask);
    }
}

TEST_CASE("UTF-8: what Unicode allows")
{
    CHECK(valid_utf8(""));
    CHECK(valid_utf8("plain"));
    CHECK(valid_utf8("안녕하세요, 박지훈입니다."));
    CHECK(valid_utf8(std::string_view("\0", 1)));
    CHECK(valid_utf8("\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"));
}

TEST_CASE("UTF-8: what Unicode forbids, also behind and before long runs of ASCII")
{
    const std::string_view rows[] = {
        "\x80",                  // continuation alone
        "\xbf",                  //
        "\xc0\x80",              // overlong NUL
        "\xc1\xbf",              // overlong, two bytes
        "\xe0\x9f\xbf",          // overlong, three bytes
        "\xf0\x8f\xbf\xbf",      // overlong, four bytes
        "\xed\xa0\x80",          // first surrogate
        "\xed\xbf\xbf",          // last surrogate
        "\xf4\x90\x80\x80",      // U+110000
        "\xf5\x80\x80\x80",      //
        "\xff", "\xfe",          //
        "\xc2", "\xe2\x82", "\xf0\x9f\x98",                  // cut off
        "\xc2\x41", "\xe2\x82\x41", "\xf0\x9f\x98\x41",      // broken off
        "\xe2\x28\xa1", "\xf0\x28\x8c\xbc",
    };
    for (const auto row : rows)
        for (const std::size_t before : {0, 1, 31, 32, 33, 64}) {
            INFO(before << " bytes before " << std::to_integer<int>(bytes(row)[0]));
            CHECK_FALSE(valid_utf8(std::string(before, 'a') + std::string(row)));
            CHECK_FALSE(valid_utf8(std::string(before, 'a') + std::string(row) + std::string(40, 'a')));
        }
}

TEST_CASE("UTF-8: a byte out of place is found wherever it stands, and a character in place never is")
{
    for (std::size_t length = 1; length <= 220; ++length)
        for (std::size_t at = 0; at < length; ++at) {
            std::string text(length, 'a');
            text[at] = '\x80';
            if (valid_utf8(text)) FAIL("length " << length << ", at " << at);
            text[at] = '\xc3';
            if (at + 1 < length) text[at + 1] = '\xa9';
            if (valid_utf8(text) != (at + 1 < length)) FAIL("length " << length << ", character at " << at);
        }
    SUCCEED();
}

TEST_CASE("UTF-8: agrees with encoding every code point")
{
    for (std::uint32_t point = 0; point < 0x110000; ++point) {
        std::string text;
        if (point < 0x80) {
            text = {static_cast<char>(point)};
        } else if (point < 0x800) {
            text = {static_cast<char>(0xc0 | point >> 6), static_cast<char>(0x80 | (point & 63))};
        } else if (point < 0x10000) {
            text = {static_cast<char>(0xe0 | point >> 12), static_cast<char>(0x80 | (point >> 6 & 63)), static_cast<char>(0x80 | (point & 63))};
        } else {
            text = {static_cast<char>(0xf0 | point >> 18), static_cast<char>(0x80 | (point >> 12 & 63)),
                    static_cast<char>(0x80 | (point >> 6 & 63)), static_cast<char>(0x80 | (point & 63))};
        }
        const bool surrogate = point >= 0xd800 && point < 0xe000;
        if (is_valid_utf8(std::as_bytes(std::span(text))) == surrogate) FAIL("code point " << point);
    }
    SUCCEED();
}

TEST_CASE("A close payload is read")
{
    const auto none = parse_close_payload({});
    REQUIRE(none.has_value());
    CHECK(none->code == 1005);
    CHECK(none->reason.empty());

    const auto full = parse_close_payload(bytes("\x03\xe8"
                                                "bye"));
    REQUIRE(full.has_value());
    CHECK(full->code == 1000);
    CHECK(full->reason == "bye");

    CHECK(parse_close_payload(bytes("\x03")).has_error());
    CHECK(parse_close_payload(bytes("\x03\xe8\xff")).has_error());
}

TEST_CASE("Only close codes that may stand on the wire are taken")
{
    for (std::uint32_t code = 0; code <= 0xffff; ++code) {
        const bool expected =
            (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
        const Bytes payload = bytes({static_cast<int>(code >> 8), static_cast<int>(code & 255)});
        if (parse_close_payload(payload).has_value() != expected) FAIL("code " << code);
    }
    SUCCEED();
}

TEST_CASE("A close reason is cut at 123 bytes, between characters")
{
    CHECK(make_close_payload(1000, "") == "\x03\xe8");
    CHECK(make_close_payload(1008, "idle_timeout") == "\x03\xf0idle_timeout");
    CHECK(make_close_payload(1000, std::string(123, 'a')).size() == 125);
    CHECK(make_close_payload(1000, std::string(200, 'a')).size() == 125);
    for (std::size_t before = 0; before < 4; ++before) {
        std::string reason(before, 'a');
        while (reason.size() < 130) reason += "한";
        const auto parsed = parse_close_payload(bytes(make_close_payload(1001, reason)));
        REQUIRE(parsed.has_value());
        CHECK(parsed->reason.size() <= 123);
        CHECK(parsed->reason.size() > 120);
        CHECK(reason.starts_with(parsed->reason));
    }
}
