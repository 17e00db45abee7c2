#include "repartee/conversation/uplink.hpp"
#include "support.hpp"

#include <cstring>
#include <map>
#include <random>
#include <sstream>
#include <utility>

using namespace test;
using conversation::Uplink;

namespace {

std::size_t audio_bytes(Uplink& uplink)
{
    std::size_t bytes = 0;
    std::string text;
    while (next(uplink, text)) {
        const auto event = json::parse_object(text).value();
        const auto base64_text = json::find_string(event, "audio");
        if (!base64_text) continue;
        std::vector<std::byte> pcm(audio::base64_decoded_bytes_max(base64_text->size()));
        bytes += audio::base64_decode(*base64_text, pcm.data()).bytes;
    }
    return bytes;
}

constexpr std::size_t ms_bytes = audio::bytes_of_ms(1, audio::realtime_hz);
constexpr Uplink::Kept keeps{30'000 * ms_bytes};

std::byte byte_of_stream(std::uint64_t position) { return static_cast<std::byte>(position * 131 ^ position >> 8); }

std::vector<std::byte> stream(std::uint64_t from, std::size_t bytes)
{
    std::vector<std::byte> out(bytes);
    for (std::size_t i = 0; i < bytes; ++i) out[i] = byte_of_stream(from + i);
    return out;
}

bool push_stream(Uplink& uplink, std::size_t bytes) { return uplink.push_audio(stream(uplink.pushed_position(), bytes)); }

std::vector<std::byte> joined(const std::array<std::span<const std::byte>, 2>& parts)
{
    std::vector<std::byte> bytes(parts[0].begin(), parts[0].end());
    bytes.insert(bytes.end(), parts[1].begin(), parts[1].end());
    return bytes;
}

/// What leaves, until nothing does (or `most`): events by their text, audio as "FROM-TO" in ms of its position, pieces that follow each other as one.
std::string drain(Uplink& uplink, int most = 1'000'000)
{
    std::string out;
    std::uint64_t from = 0, to = 0;
    const auto end_audio = [&] {
        if (to > from) out += std::to_string(from / ms_bytes) + "-" + std::to_string(to / ms_bytes) + " ";
        from = to = 0;
    };
    while (most-- > 0) {
        const auto next = uplink.next();
        if (next.kind == Uplink::Next::Kind::nothing) break;
        if (next.kind == Uplink::Next::Kind::event) {
            end_audio();
            out += std::string(next.event) + " ";
            continue;
        }
        const auto bytes = joined(next.audio);
        const bool as_pushed = bytes == stream(next.position, bytes.size());
        CHECK(as_pushed);
        if (next.position != to) {
            end_audio();
            from = next.position;
        }
        to = next.position + bytes.size();
        CHECK(uplink.sent_position() == to);
    }
    end_audio();
    if (!out.empty()) out.pop_back();
    return out;
}

/// A word a step: "a20" 20 ms of audio; "e:k" and "u:k" an event or an urgent one with the key k, "n:k" one without a key; "c:k" confirm;
/// "s" all that can leaves, "s3" three; "r20" rewind to 20 ms; "k20" keep from there, "k" keep idle; "hold", "free", "drop", "clear", "refuse".
/// Returns what left, with "|" for a rewind.
std::string run(Uplink& uplink, const std::string& script)
{
    std::string out;
    const auto add = [&](const std::string& what) { out += what.empty() || out.empty() || out.ends_with("| ") ? what : " " + what; };
    std::istringstream words(script);
    for (std::string word; words >> word;) {
        INFO(word);
        const std::string rest = word.substr(1);
        const std::string key = word.size() > 2 && word[1] == ':' ? word.substr(2) : "";
        const std::uint64_t position = std::strtoull(rest.c_str(), nullptr, 10) * ms_bytes;
        if (word == "hold" || word == "free") uplink.hold(word == "hold");
        else if (word == "drop") uplink.drop_audio();
        else if (word == "clear") REQUIRE(uplink.clear_audio("clear"));
        else if (word == "refuse") uplink.refuse_all_unconfirmed();
        else if (word[0] == 'a') REQUIRE(push_stream(uplink, static_cast<std::size_t>(position)));
        else if (word[0] == 'e') REQUIRE(uplink.push_event(key, key));
        else if (word[0] == 'u') REQUIRE(uplink.push_urgent(key, key));
        else if (word[0] == 'n') REQUIRE(uplink.push_event(key));
        else if (word[0] == 'c') uplink.confirm(key);
        else if (word == "s") add(drain(uplink));
        else if (word[0] == 's') add(drain(uplink, std::stoi(rest)));
        else if (word == "k") uplink.keep_idle();
        else if (word[0] == 'k') uplink.keep_from(position);
        else if (word[0] == 'r') {
            uplink.rewind(position);
            add("| ");
        } else FAIL("no such step");
    }
    return out;
}

}  // namespace

TEST_CASE("every input rate arrives as 24 kHz of the same duration, whatever the chunks")
{
    for (const int hz : audio::client_rates_hz)
        for (const std::size_t chunk : {std::size_t{2}, std::size_t{318}, std::size_t{4'096}}) {
            INFO(hz << " Hz, chunks of " << chunk);
            Uplink uplink(hz, 1 << 20, 16);
            uplink.hold(false);
            const auto pcm = pcm_ms(1'000, hz);
            std::size_t bytes = 0;
            for (std::size_t at = 0; at < pcm.size(); at += chunk) {
                REQUIRE(uplink.push_audio(std::span(pcm).subspan(at, std::min(chunk, pcm.size() - at))));
                bytes += audio_bytes(uplink);
            }
            uplink.end_turn();
            bytes += audio_bytes(uplink);
            CHECK(std::abs(static_cast<long>(bytes) - 48'000L) <= 2);
        }
}

TEST_CASE("while held only urgent events leave")
{
    Uplink uplink(24'000, 1 << 16, 4);
    std::string text;
    uplink.push_audio(pcm_ms(20, 24'000));
    uplink.push_event("pinned");
    CHECK(!next(uplink, text));
    uplink.push_urgent("urgent");
    REQUIRE(next(uplink, text));
    CHECK(text == "urgent");
    CHECK(!next(uplink, text));
}

TEST_CASE("a backlog leaves in events of at most a second")
{
    Uplink uplink(24'000, 1 << 20, 4);
    uplink.hold(false);
    REQUIRE(uplink.push_audio(pcm_ms(2'500, 24'000)));
    int events = 0;
    std::string text;
    while (next(uplink, text)) ++events;
    CHECK(events == 3);
}

TEST_CASE("dropping audio spares the turn that has been committed but not sent")
{
    Uplink uplink(24'000, 1 << 20, 4);
    uplink.hold(false);
    std::string text;
    uplink.push_audio(pcm_ms(100, 24'000));
    uplink.drop_audio();
    CHECK(!next(uplink, text));
    uplink.push_audio(pcm_ms(100, 24'000));
    uplink.push_event("commit");
    uplink.push_audio(pcm_ms(20, 24'000));
    uplink.drop_audio();
    uplink.push_event("clear");
    std::vector<std::string> sent;
    while (next(uplink, text)) sent.push_back(text.substr(0, 10));
    CHECK(sent == Strings{R"({"type":"i)", "commit", R"({"type":"i)", "clear"});
}

TEST_CASE("waiting events are bounded in bytes too, but a single large one passes")
{
    Uplink uplink(24'000, 1 << 16, 100, 1'000);
    CHECK(uplink.push_event(std::string(5'000, 'x')));
    CHECK(!uplink.push_event("y"));
    uplink.hold(false);
    std::string text;
    CHECK(next(uplink, text));
    CHECK(uplink.push_event("y"));
}

TEST_CASE("waiting events are bounded")
{
    Uplink uplink(24'000, 1 << 16, 2);
    CHECK(uplink.push_event("1"));
    CHECK(uplink.push_event("2"));
    CHECK(!uplink.push_event("3"));
}

TEST_CASE("what leaves again for another service, and in which order")
{
    struct Row {
        const char* name;
        const char* script;
        const char* left;
    };
    const Row rows[] = {
        {"nothing was there", "s r0 s", "| "},
        {"audio that nobody committed", "k0 a100 s a20 s r0 s", "0-100 100-120 | 0-120"},
        {"from a position on", "k0 a100 s r60 s", "0-100 | 60-100"},
        {"never from before what is kept", "k40 a100 s r0 s", "0-100 | 40-100"},
        {"never past what has not left", "k0 a100 s a50 r900 s", "0-100 | 100-150"},
        {"an event without a key does not", "k0 a100 n:x s r0 s", "0-100 x | 0-100"},
        {"a confirmed event does not", "k0 a100 e:x a100 s c:x r0 s", "0-100 x 100-200 | 0-200"},
        {"events where they were pinned", "k0 e:a a50 e:b e:c a50 e:d s r0 s", "a 0-50 b c 50-100 d | a 0-50 b c 50-100 d"},
        {"between events that never left", "k0 a50 e:a a50 s a10 e:b a10 n:c r0 s", "0-50 a 50-100 | 0-50 a 50-110 b 110-120 c"},
        {"events pinned before what is kept: at once", "k0 e:a a50 e:b a50 s k80 r0 s", "a 0-50 b 50-100 | a b 80-100"},
        {"lost in the middle of it, twice", "k0 a50 e:a a50 e:b s r0 s2 r0 s", "0-50 a 50-100 b | 0-50 a | 0-50 a 50-100 b"},
        {"confirmed by the second service", "k0 a50 e:a a50 e:b s r0 s2 c:a r50 s", "0-50 a 50-100 b | 0-50 a | 50-100 b"},
        {"confirmed before it left again", "k0 a50 e:a a50 e:b s r0 c:b s", "0-50 a 50-100 b | 0-50 a 50-100"},
        {"an event that never left is not confirmed", "k0 a50 e:a s1 c:a s", "0-50 a"},
        {"the oldest with a key is confirmed", "k0 e:x a50 e:x s c:x r0 s", "x 0-50 x | 0-50 x"},
        {"while held nothing does", "k0 a50 e:a u:b s hold r0 s free s", "b 0-50 a | b 0-50 a"},
        {"urgent ones first, in their order", "k0 u:a s a50 e:b s u:c s r0 s", "a 0-50 b c | a c 0-50 b"},
        {"urgent ones behind what the new service must know", "k0 a50 u:a s hold r0 u:new s u:newer free s", "a 0-50 | new a newer 0-50"},
        {"urgent ones, lost again", "k0 u:a u:b a50 s r0 s1 r0 s", "a b 0-50 | a | a b 0-50"},
        {"an urgent one that is confirmed", "k0 u:a u:b s c:a r0 s", "a b | b"},
        {"all refused", "k0 u:a a50 e:b s refuse r0 s", "a 0-50 b | 0-50"},
        {"all refused while they wait", "k0 u:a a50 e:b s r0 refuse s", "a 0-50 b | 0-50"},
        {"a committed turn", "k0 a100 e:commit s c:commit k100 a40 s r100 s", "0-100 commit 100-140 | 100-140"},
        {"cleared audio", "k0 a100 s drop r0 a20 s", "0-100 | 100-120"},
        {"cleared before it left", "k0 a100 s a50 drop n:clear a20 s r0 s", "0-100 clear 150-170 | 150-170"},
        {"a commit that was cleared away", "k0 a100 e:commit s drop a20 s r0 s", "0-100 commit 100-120 | 100-120"},
        {"and its late confirmation", "k0 a100 e:commit s drop a20 e:commit s c:commit r0 s", "0-100 commit 100-120 commit | 100-120 commit"},
        {"other events outlive a clearing", "k0 a100 e:x s drop r0 s", "0-100 x | x"},
        {"a commit that has not left spares what is kept", "k0 a100 s a50 e:commit drop r0 s", "0-100 | 0-150 commit"},
        {"so does one that leaves again", "k0 a100 e:commit s r0 drop s", "0-100 commit | 0-100 commit"},
        {"but no urgent one does", "k0 a100 u:a s r0 drop s", "a 0-100 | a"},
        {"audio that the client cleared", "k0 a100 s a50 clear a20 s r0 s", "0-100 clear 150-170 | 150-170"},
        {"cleared behind a commit", "k0 a100 e:commit a50 s clear a20 s r0 s",
         "0-100 commit 100-150 clear 150-170 | 0-100 commit 100-150 clear 150-170"},
        {"and lost again", "k0 a100 e:commit a50 s clear a20 r0 s r0 s r150 s",
         "0-100 commit 100-150 | 0-100 commit 100-150 clear 150-170 | 0-100 commit 100-150 clear 150-170 | commit clear 150-170"},
        {"cleared behind a commit that is confirmed", "k0 a100 e:commit a50 s clear a20 s c:commit r0 s",
         "0-100 commit 100-150 clear 150-170 | 150-170"},
        {"cleared behind a commit that was confirmed before", "k0 a100 e:commit a50 s c:commit clear a20 s r0 s",
         "0-100 commit 100-150 clear 150-170 | 150-170"},
        {"cleared between two commits", "k0 a100 e:commit a50 s clear a20 e:commit s c:commit r0 s",
         "0-100 commit 100-150 clear 150-170 commit | 0-150 clear 150-170 commit"},
        {"cleared behind an event", "k0 a100 e:x clear a20 s r0 s", "0-100 x clear 100-120 | x 100-120"},
        {"cleared, then refused", "k0 a100 e:commit a50 s clear a20 s refuse r0 s", "0-100 commit 100-150 clear 150-170 | 150-170"},
    };
    for (const Row& row : rows) {
        INFO(row.name << ": " << row.script);
        Uplink uplink(24'000, 1 << 20, 16, 4 << 20, keeps);
        uplink.hold(false);
        CHECK(run(uplink, row.script) == row.left);
    }
}

TEST_CASE("audio that leaves again does not mix with audio that never left")
{
    Uplink uplink(24'000, 1 << 20, 16, 4 << 20, keeps);
    uplink.hold(false);
    run(uplink, "k0 a1300 s a100 r50");
    struct Row {
        std::uint64_t position_ms, length_ms;
        bool again;
    };
    for (const Row& row : {Row{50, 1'000, true}, Row{1'050, 250, true}, Row{1'300, 100, false}}) {
        const auto next = uplink.next();
        CHECK(next.kind == Uplink::Next::Kind::audio);
        CHECK(next.position == row.position_ms * ms_bytes);
        CHECK(next.audio[0].size() + next.audio[1].size() == row.length_ms * ms_bytes);
        CHECK(next.again == row.again);
    }
    CHECK(uplink.next().kind == Uplink::Next::Kind::nothing);
}

TEST_CASE("without being asked to, an uplink keeps nothing")
{
    Uplink uplink(24'000, 1 << 20, 16);
    uplink.hold(false);
    CHECK(run(uplink, "k0 a100 e:x u:y s a20 s r0 s") == "y 0-100 x 100-120 | ");
    CHECK(uplink.kept_from() == 120 * ms_bytes);
    CHECK(uplink.memory_bytes() == 0);
    CHECK(!uplink.confirm("x"));
    CHECK(uplink.refuse_all_unconfirmed() == 0);
}

TEST_CASE("while nobody speaks the newest 300 ms are kept, in 16 KiB, whatever the frames and rates")
{
    for (const int hz : {8'000, 24'000, 48'000})
        for (const int frame_ms : {5, 10, 20, 33, 40, 60, 100, 250}) {
            INFO(hz << " Hz, frames of " << frame_ms << " ms");
            Uplink uplink(hz, 1 << 20, 16, 4 << 20, keeps);
            uplink.hold(false);
            std::size_t memory = 0;
            for (int ms = 0; ms < 3'000; ms += frame_ms) {
                REQUIRE(uplink.push_audio(pcm_ms(frame_ms, hz)));
                memory = std::max(memory, uplink.memory_bytes());
                audio_bytes(uplink);
                memory = std::max(memory, uplink.memory_bytes());
            }
            CHECK(memory == 16 << 10);
            CHECK(uplink.sent_position() - uplink.kept_from() == 300 * ms_bytes);
            CHECK(uplink.pending_audio_bytes() == 0);
        }
}

TEST_CASE("from where audio is kept")
{
    struct Row {
        const char* name;
        const char* script;
        std::int64_t kept_from_ms;
    };
    // 1'000 ms are kept while somebody speaks, 300 otherwise.
    const Row rows[] = {
        {"nothing has left", "", 0},
        {"less than 300 ms", "a200 s", 0},
        {"idle", "a500 s", 200},
        {"room is made for a frame before it has left", "a500 s a20", 220},
        {"but what waits pushes nothing out", "a500 s a20 a500", 220},
        {"speech since then", "a500 s k300 a500 s", 300},
        {"speech since before what is kept", "a500 s k0 a200 s", 200},
        {"speech that is still to come", "a500 s k600 a50 s", 550},
        {"and has come", "a500 s k600 a300 s", 600},
        {"speech since before what has not left", "a500 s a300 k700", 500},
        {"longer than is kept", "k0 a900 s a300 s", 200},
        {"the next turn", "k0 a900 s k800", 800},
        {"the same turn again", "k0 a500 s k400 k100", 400},
        {"silence again", "k0 a900 s k", 600},
        {"silence while audio waits", "k0 a900 s a200 k", 600},
        {"cleared", "k0 a900 s drop", 900},
        {"cleared with what waits", "k0 a900 s a50 drop", 950},
        {"rewound", "k0 a900 s r500", 0},
        {"rewound in silence, half sent", "k0 a900 s r0 a300 k s1", 600},
    };
    for (const Row& row : rows) {
        INFO(row.name << ": " << row.script);
        Uplink uplink(24'000, 1 << 20, 16, 4 << 20, {1'000 * ms_bytes});
        uplink.hold(false);
        run(uplink, row.script);
        CHECK(uplink.kept_from() == static_cast<std::uint64_t>(row.kept_from_ms) * ms_bytes);
    }
}

TEST_CASE("what is kept takes no room from what comes")
{
    struct Row {
        const char* name;
        std::size_t kept_bytes;
        bool rewound;
    };
    for (const Row& row : {Row{"nothing kept", 0, false}, Row{"as much as waits", 64 << 10, false}, Row{"more than waits", 1 << 20, false},
                           Row{"as much as waits, leaving again", 64 << 10, true}, Row{"more than waits, leaving again", 1 << 20, true}}) {
        INFO(row.name);
        Uplink uplink(24'000, 64 << 10, 16, 4 << 20, {row.kept_bytes});
        uplink.hold(false);
        uplink.keep_from(0);
        while (uplink.sent_position() < 3 << 20) {
            REQUIRE(push_stream(uplink, 960));
            drain(uplink);
        }
        CHECK(uplink.sent_position() - uplink.kept_from() == row.kept_bytes);
        if (row.rewound) uplink.rewind(0);
        const std::uint64_t waits_from = uplink.sent_position();
        CHECK(uplink.has_room());
        std::size_t taken = 0;
        while (push_stream(uplink, 960)) taken += 960;
        CHECK(taken == (64 << 10) / 960 * 960);
        CHECK(!uplink.has_room());
        CHECK(uplink.pending_audio_bytes() == taken + (row.rewound ? row.kept_bytes : 0));
        CHECK(drain(uplink) == std::to_string(waits_from / ms_bytes) + "-" + std::to_string(uplink.pushed_position() / ms_bytes));
        CHECK(uplink.has_room());
        CHECK(push_stream(uplink, 960));
    }
}

TEST_CASE("the memory of a long speech is given back when it is over")
{
    Uplink uplink(24'000, 1 << 20, 16, 4 << 20, keeps);
    uplink.hold(false);
    run(uplink, "k0 a900 s a20000 s");
    CHECK(uplink.memory_bytes() == 1 << 20);
    CHECK(run(uplink, "c:x k20500 r20500 s") == "| 20500-20900");
    CHECK(uplink.memory_bytes() == 32 << 10);
    run(uplink, "k");
    CHECK(uplink.memory_bytes() == 16 << 10);
    CHECK(run(uplink, "a20 a5000 r0 s") == "| 20620-25920");
    CHECK(uplink.memory_bytes() == 16 << 10);
    run(uplink, "drop s");
    CHECK(uplink.memory_bytes() == 0);
}

TEST_CASE("audio that is kept can be read between two positions")
{
    Uplink uplink(24'000, 1 << 20, 16, 4 << 20, keeps);
    uplink.hold(false);
    run(uplink, "k50 a100 s a40");
    struct Row {
        std::uint64_t from_ms, to_ms;
        bool there;
    };
    for (const Row& row : {Row{50, 140, true}, Row{60, 61, true}, Row{100, 140, true}, Row{49, 100, false}, Row{50, 141, false}, Row{70, 70, false},
                           Row{80, 70, false}, Row{150, 160, false}}) {
        INFO(row.from_ms << " to " << row.to_ms);
        const auto bytes = joined(uplink.kept(row.from_ms * ms_bytes, row.to_ms * ms_bytes));
        CHECK(bytes == (row.there ? stream(row.from_ms * ms_bytes, (row.to_ms - row.from_ms) * ms_bytes) : std::vector<std::byte>()));
    }
}

TEST_CASE("a confirmation says where the event stood")
{
    Uplink uplink(24'000, 1 << 20, 16, 4 << 20, keeps);
    uplink.hold(false);
    run(uplink, "k0 a100 e:commit a50 e:commit u:commit s");
    CHECK(!uplink.confirm("other"));
    CHECK(!uplink.confirm("commit"));  // the urgent one left first
    CHECK(uplink.confirm("commit") == 100 * ms_bytes);
    uplink.rewind(0);
    CHECK(uplink.confirm("commit") == 150 * ms_bytes);
    CHECK(!uplink.confirm("commit"));
    CHECK(drain(uplink) == "0-150");
}

TEST_CASE("events that nobody confirms are bounded, the newest are kept, and none is refused for them")
{
    struct Row {
        const char* name;
        std::size_t events_max, bytes_max, event_bytes, again;
    };
    for (const Row& row : {Row{"count", 3, 1'000, 10, 3}, Row{"bytes", 100, 1'000, 400, 2}, Row{"one larger than all", 100, 1'000, 5'000, 1}}) {
        INFO(row.name);
        Uplink uplink(24'000, 1 << 16, row.events_max, row.bytes_max, keeps);
        uplink.hold(false);
        std::string all;
        for (int i = 0; i < 10; ++i) {
            const std::string text(row.event_bytes, static_cast<char>('0' + i));
            REQUIRE(uplink.push_event(text, "k"));
            CHECK(drain(uplink) == text);
            if (10 - i <= static_cast<int>(row.again)) all += (all.empty() ? "" : " ") + text;
            uplink.hold(true);
            uplink.rewind(0);
            uplink.rewind(0);
            uplink.hold(false);
            const std::string again = drain(uplink);
            CHECK(again.size() <= row.again * (row.event_bytes + 1));
            if (i == 9) CHECK(again == all);
        }
        CHECK(uplink.refuse_all_unconfirmed() == row.again);
    }
}

TEST_CASE("a turn at another rate leaves again to the byte, its tail too")
{
    for (const int hz : audio::client_rates_hz) {
        INFO(hz);
        Uplink uplink(hz, 1 << 20, 16, 4 << 20, keeps);
        uplink.hold(false);
        uplink.keep_from(0);
        std::vector<std::byte> first, again;
        std::size_t pushed_bytes = 0;
        const auto collect = [&](std::vector<std::byte>& to) {
            for (;;) {
                const auto next = uplink.next();
                if (next.kind == Uplink::Next::Kind::nothing) return;
                if (next.kind == Uplink::Next::Kind::event) CHECK(to.size() == uplink.sent_position());
                const auto bytes = joined(next.audio);
                to.insert(to.end(), bytes.begin(), bytes.end());
            }
        };
        std::mt19937 random(7);
        for (int i = 0; i < 40; ++i) {
            auto pcm = pcm_ms(23, hz);
            for (std::byte& byte : pcm) byte = static_cast<std::byte>(random() >> 13);
            REQUIRE(uplink.push_audio(pcm));
            pushed_bytes += pcm.size();
            if (i % 3 == 0) collect(first);
        }
        uplink.end_turn();
        REQUIRE(uplink.push_event("commit", "commit"));
        collect(first);
        CHECK(std::abs(static_cast<double>(first.size()) - static_cast<double>(pushed_bytes) * audio::realtime_hz / hz) <= 3);
        uplink.rewind(0);
        collect(again);
        const bool same = first == again;
        CHECK(same);
    }
}

TEST_CASE("whatever is lost whenever, every service gets audio without a gap and each unconfirmed event once, in order")
{
    for (unsigned seed = 0; seed < 300; ++seed) {
        INFO("seed " << seed);
        std::mt19937 random(seed);
        const auto below = [&](std::uint32_t n) { return static_cast<std::uint32_t>(random() % n); };
        Uplink uplink(24'000, 1 << 20, 1'000, 4 << 20, {(1 + below(4)) * 1'000 * ms_bytes});
        uplink.hold(false);

        struct Pushed {
            std::uint64_t position;
            bool urgent, confirmed = false;
        };
        std::map<int, Pushed> events;  // by number, in the order in which they were pushed
        std::vector<int> got;          // by the present service
        std::uint64_t heard_to = 0;    // by the present service
        std::uint64_t heard_first = 0;
        const auto take_one = [&] {
            const auto next = uplink.next();
            if (next.kind == Uplink::Next::Kind::nothing) return false;
            REQUIRE(next.position == heard_to);
            if (next.kind == Uplink::Next::Kind::audio) {
                const auto bytes = joined(next.audio);
                const bool as_pushed = bytes == stream(next.position, bytes.size());
                REQUIRE(as_pushed);
                heard_to += bytes.size();
                return true;
            }
            const int number = std::stoi(std::string(next.event));
            const Pushed& event = events.at(number);
            REQUIRE(!event.confirmed);
            if (!event.urgent) {
                REQUIRE(heard_to == std::max(event.position, heard_first));
                for (const int earlier : got) REQUIRE((events.at(earlier).urgent || earlier < number));
            }
            REQUIRE(std::count(got.begin(), got.end(), number) == 0);
            got.push_back(number);
            return true;
        };
        const auto take_all = [&] {
            while (take_one()) continue;
        };
        const auto any_position = [&] { return 2 * std::uint64_t{below(static_cast<std::uint32_t>(uplink.pushed_position() / 2 + 1))}; };
        const auto lose = [&](std::uint64_t position) {
            uplink.rewind(position);
            REQUIRE(uplink.sent_position() == std::clamp(position, uplink.kept_from(), heard_to));
            got.clear();
            heard_to = heard_first = uplink.sent_position();
        };
        int number = 0;
        for (int step = 0; step < 400; ++step) {
            const auto choice = below(12);
            if (choice < 4) {
                REQUIRE(push_stream(uplink, 2 * below(3'000)));
            } else if (choice < 6) {
                const bool urgent = below(3) == 0;
                const std::string text = std::to_string(number);
                events[number++] = {uplink.pushed_position(), urgent};
                REQUIRE((urgent ? uplink.push_urgent(text, text) : uplink.push_event(text, text)));
            } else if (choice < 8) {
                for (auto n = below(4); n > 0; --n) take_one();
            } else if (choice == 8) {
                take_all();
            } else if (choice == 9 && !got.empty()) {
                const int of = got[below(static_cast<std::uint32_t>(got.size()))];
                Pushed& event = events.at(of);
                if (std::exchange(event.confirmed, true)) continue;
                REQUIRE(uplink.confirm(std::to_string(of)) == (event.urgent ? std::nullopt : std::optional(event.position)));
            } else if (choice == 10) {
                below(2) == 0 ? uplink.keep_idle() : uplink.keep_from(any_position());
            } else if (choice == 11) {
                lose(any_position());
            }
            REQUIRE(uplink.kept_from() <= uplink.sent_position());
            REQUIRE(uplink.sent_position() <= uplink.pushed_position());
        }
        lose(0);
        take_all();
        CHECK(heard_to == uplink.pushed_position());
        for (const auto& [at, event] : events) REQUIRE(std::count(got.begin(), got.end(), at) == (event.confirmed ? 0 : 1));
    }
}
