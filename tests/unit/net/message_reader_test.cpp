#include "../../../src/net/frame_queue.hpp"
#include "../../../src/net/message_reader.hpp"

#include <catch2/catch.hpp>
#include <cstring>
#include <random>

using namespace repartee;
using namespace repartee::net;

namespace {

struct Received {
    Opcode opcode;
    std::string bytes;
    bool operator==(const Received&) const = default;
};

std::span<const std::byte> as_bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

std::string as_text(std::span<const std::byte> bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

std::string frame(bool fin, Opcode opcode, std::string_view payload)
{
    std::array<std::byte, frame_header_bytes_max> header;
    const std::size_t n = write_frame_header(fin, opcode, payload.size(), nullptr, header.data());
    return as_text(std::span(header).first(n)) + std::string(payload);
}

/// Takes all that is there.
std::optional<Error> drain(MessageReader& reader, std::vector<Received>& into)
{
    for (;;) {
        const auto next = reader.next();
        if (next.has_error()) return next.error();
        if (!*next) return std::nullopt;
        into.push_back({(*next)->opcode, as_text((*next)->bytes)});
    }
}

/// At most `piece` bytes at a time, as a socket would hand them over.
std::optional<Error> feed(MessageReader& reader, std::string_view wire, std::size_t piece, std::vector<Received>& into)
{
    while (!wire.empty()) {
        const auto room = reader.room();
        const std::size_t n = std::min({room.size(), wire.size(), piece});
        std::memcpy(room.data(), wire.data(), n);
        reader.commit(n);
        wire.remove_prefix(n);
        if (auto error = drain(reader, into)) return error;
    }
    return std::nullopt;
}

std::string queued(FrameQueue& queue)
{
    const std::string wire = as_text(queue.unsent());
    queue.take(wire.size());
    return wire;
}

}  // namespace

TEST_CASE("What one side queues the other side reads, in whatever pieces it arrives, masked or not")
{
    std::mt19937 random(7);
    for (int round = 0; round < 60; ++round) {
        const bool masked = random() % 2;
        FrameQueue queue(masked);
        std::vector<Received> sent;
        for (unsigned i = 0, count = 1 + random() % 12; i < count; ++i) {
            const Opcode opcodes[] = {Opcode::text, Opcode::binary, Opcode::ping, Opcode::pong};
            const Opcode opcode = opcodes[random() % 4];
            const std::size_t sizes[] = {random() % 4, random() % 126, random() % 3000, random() % 70'000};
            std::string payload(is_control(opcode) ? sizes[random() % 2] : sizes[random() % 4], '\0');
            for (char& c : payload) c = static_cast<char>(random());
            queue.append(opcode, as_bytes(payload));
            sent.push_back({opcode, payload});
        }
        const std::string wire = queued(queue);
        MessageReader reader(masked, 1 << 20, {});
        std::vector<Received> received;
        const std::size_t pieces[] = {1, 2, 3, 7, 1000, 4096, 1 << 20};
        const auto error = feed(reader, wire, pieces[random() % 7], received);
        CHECK_FALSE(error.has_value());
        CHECK(received == sent);
    }
}

TEST_CASE("Bytes that came with the handshake are read first")
{
    const std::string wire = frame(true, Opcode::text, "one") + frame(true, Opcode::text, "two");
    for (std::size_t early = 0; early <= wire.size(); ++early) {
        MessageReader reader(false, 100, wire.substr(0, early));
        std::vector<Received> received;
        CHECK_FALSE(drain(reader, received).has_value());
        CHECK_FALSE(feed(reader, wire.substr(early), 1, received).has_value());
        CHECK(received == std::vector<Received>{{Opcode::text, "one"}, {Opcode::text, "two"}});
    }
}

TEST_CASE("Fragments become one message; control frames between them come out at once")
{
    const std::string wire = frame(false, Opcode::text, "Hel") + frame(true, Opcode::ping, "?") + frame(false, Opcode::continuation, "") +
                             frame(true, Opcode::pong, "") + frame(true, Opcode::continuation, "lo") + frame(true, Opcode::binary, "x") +
                             frame(false, Opcode::binary, "") + frame(true, Opcode::continuation, "");
    const std::vector<Received> expected = {
        {Opcode::ping, "?"}, {Opcode::pong, ""}, {Opcode::text, "Hello"}, {Opcode::binary, "x"}, {Opcode::binary, ""}};
    for (std::size_t piece = 1; piece <= wire.size(); ++piece) {
        MessageReader reader(false, 100, {});
        std::vector<Received> received;
        CHECK_FALSE(feed(reader, wire, piece, received).has_value());
        CHECK(received == expected);
    }
}

TEST_CASE("Frames in the wrong order or with the wrong mask bit are protocol errors")
{
    const std::string rows[] = {
        frame(true, Opcode::continuation, "x"),
        frame(false, Opcode::text, "a") + frame(true, Opcode::text, "b"),
        frame(false, Opcode::text, "a") + frame(true, Opcode::continuation, "b") + frame(true, Opcode::continuation, "c"),
        std::string("\x81\x80\x01\x02\x03\x04", 6),  // masked, from a server
    };
    for (const auto& row : rows) {
        MessageReader reader(false, 100, {});
        std::vector<Received> received;
        const auto error = feed(reader, row, 1, received);
        REQUIRE(error.has_value());
        CHECK(error->code == Code::protocol);
    }
    MessageReader server(true, 100, {});
    std::vector<Received> received;
    const auto error = feed(server, frame(true, Opcode::text, "unmasked"), 100, received);
    REQUIRE(error.has_value());
    CHECK(error->code == Code::protocol);
}

TEST_CASE("A message over the limit is refused at its header, before it is buffered")
{
    MessageReader exact(false, 100, {});
    std::vector<Received> received;
    CHECK_FALSE(feed(exact, frame(true, Opcode::binary, std::string(100, 'x')), 1000, received).has_value());
    CHECK(received.size() == 1);

    MessageReader single(false, 100, {});
    const auto too_long = feed(single, frame(true, Opcode::binary, std::string(101, 'x')).substr(0, 2), 1000, received);
    REQUIRE(too_long.has_value());
    CHECK(too_long->code == Code::too_large);

    MessageReader in_parts(false, 100, {});
    const std::string wire = frame(false, Opcode::binary, std::string(60, 'x')) + frame(true, Opcode::continuation, std::string(41, 'x'));
    const auto too_many = feed(in_parts, wire, 1000, received);
    REQUIRE(too_many.has_value());
    CHECK(too_many->code == Code::too_large);

    MessageReader huge(false, 100, {});
    const auto too_huge = feed(huge, std::string("\x82\x7f\x7f\xff\xff\xff\xff\xff\xff\xff", 10), 1000, received);
    REQUIRE(too_huge.has_value());
    CHECK(too_huge->code == Code::too_large);
}

TEST_CASE("The room grows with what has arrived, not with what a header promises")
{
    MessageReader reader(false, 1 << 20, {});
    std::vector<Received> received;
    const std::string wire = frame(true, Opcode::binary, std::string(1 << 20, 'x'));
    CHECK_FALSE(feed(reader, wire.substr(0, 10), 10, received).has_value());
    CHECK(reader.room().size() <= 16 << 10);
    CHECK_FALSE(feed(reader, wire.substr(10, 20'000), 20'000, received).has_value());
    CHECK(reader.room().size() <= 32 << 10);
    CHECK_FALSE(feed(reader, wire.substr(20'010), 1 << 20, received).has_value());
    REQUIRE(received.size() == 1);
    CHECK(received[0].bytes.size() == 1 << 20);
}

TEST_CASE("A waiting reader keeps what it needs, and no byte is lost")
{
    const std::string wire = frame(true, Opcode::binary, std::string(90'000, 'x')) + frame(false, Opcode::text, std::string(9'000, 'y')) +
                             frame(true, Opcode::continuation, "z") + frame(true, Opcode::text, "goes on");
    for (const std::size_t piece : {1UL, 100UL, 5'000UL, 100'000UL}) {
        MessageReader reader(false, 1 << 20, {});
        std::vector<Received> received;
        for (std::size_t at = 0; at < wire.size(); at += piece) {
            CHECK_FALSE(feed(reader, wire.substr(at, piece), piece, received).has_value());
            reader.release_spare_memory();
        }
        REQUIRE(received.size() == 3);
        CHECK(received[0].bytes == std::string(90'000, 'x'));
        CHECK(received[1].bytes == std::string(9'000, 'y') + "z");
        CHECK(received[2].bytes == "goes on");
    }
}

TEST_CASE("Discarding skips messages of any size and still sees the close frame")
{
    const std::string wire = frame(true, Opcode::binary, std::string(200'000, 'x')) + frame(false, Opcode::text, "cut") +
                             frame(true, Opcode::ping, "p") + frame(true, Opcode::close, "\x03\xe8");
    for (const std::size_t piece : {1, 100, 5000}) {
        MessageReader reader(false, 100, {});
        reader.discard_messages();
        std::vector<Received> received;
        CHECK_FALSE(feed(reader, wire, piece, received).has_value());
        CHECK(received == std::vector<Received>{{Opcode::ping, "p"}, {Opcode::close, "\x03\xe8"}});
        CHECK(reader.room().size() <= 16 << 10);
    }
}

TEST_CASE("Discarding can begin in the middle of a frame")
{
    const std::string large = frame(true, Opcode::binary, std::string(20'000, 'x'));
    MessageReader reader(false, 1 << 20, {});
    std::vector<Received> received;
    CHECK_FALSE(feed(reader, large.substr(0, 9'000), 9'000, received).has_value());
    reader.discard_messages();
    CHECK_FALSE(feed(reader, large.substr(9'000) + frame(true, Opcode::close, ""), 700, received).has_value());
    CHECK(received == std::vector<Received>{{Opcode::close, ""}});
}

TEST_CASE("A queue keeps what was not taken in place and in order, however it grows")
{
    FrameQueue queue(false);
    std::string expected, taken;
    std::uint64_t seed = 1;
    for (int i = 0; i < 2'000; ++i) {
        seed = seed * 6364136223846793005 + 1442695040888963407;
        const std::string payload(seed >> 33 & 0x7ff, static_cast<char>('a' + i % 26));
        queue.append(Opcode::binary, as_bytes(payload));
        expected += frame(true, Opcode::binary, payload);
        const std::size_t n = std::min<std::size_t>(seed >> 20 & 0x7ff, queue.unsent().size());
        taken += as_text(queue.unsent().first(n));
        queue.take(n);
        REQUIRE(queue.queued() == expected.size());
        REQUIRE(queue.taken() == taken.size());
    }
    taken += queued(queue);
    CHECK(taken == expected);
    CHECK(queue.unsent().empty());
}

TEST_CASE("A frame built in place is the frame appended")
{
    FrameQueue queue(false);
    const auto place = queue.begin_frame(Opcode::text, 300);
    REQUIRE(place.size() == 300);
    std::memset(place.data(), 'x', place.size());
    queue.finish_frame();
    CHECK(queued(queue) == frame(true, Opcode::text, std::string(300, 'x')));
    queue.append(Opcode::text, as_bytes("dropped"));
    queue.drop_unsent();
    CHECK(queue.unsent().empty());
}

TEST_CASE("A client's frames have a mask of their own each")
{
    FrameQueue queue(true);
    std::vector<std::string> masks;
    for (int i = 0; i < 200; ++i) {  // more than one draw from the system's generator serves
        queue.append(Opcode::binary, {});
        masks.push_back(queued(queue).substr(2));
    }
    std::sort(masks.begin(), masks.end());
    CHECK(masks.front().size() == 4);
    const auto distinct = std::unique(masks.begin(), masks.end()) - masks.begin();
    CHECK(distinct >= 198);  // 32 random bits: even one repetition is a matter of 1 in 200 000
}
