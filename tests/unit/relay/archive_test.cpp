#include "repartee/relay/archive.hpp"
#include "support/run_coroutine.hpp"
#include "unit/store/temporary_file.hpp"

#include <catch2/catch.hpp>
#include <fstream>
#include <iterator>

using namespace repartee;
using namespace repartee::relay;
using conversation::Line;

namespace {

using Clock = std::chrono::steady_clock;

struct Desk {
    explicit Desk(bool lines = true, bool sound = true, store::TranscriptLimits limits = {})
        : database(open()), archive(database, settings(lines, sound, limits), metrics)
    {
    }

    static store::Database open()
    {
        auto opened = store::Database::open(":memory:");
        if (!opened) throw std::runtime_error(opened.error().message);
        return std::move(*opened);
    }

    ArchiveSettings settings(bool lines, bool sound, store::TranscriptLimits limits) const
    {
        ArchiveSettings wanted;
        wanted.transcripts = limits;
        wanted.lines = lines;
        if (sound) wanted.recordings_folder = files.path("recordings");
        return wanted;
    }

    std::optional<store::StoredConversation> look(const std::string& id)
    {
        return testing::run_coroutine(archive.look(id)).value();
    }
    bool forget(const std::string& id)
    {
        return testing::run_coroutine(archive.forget(id)).value();
    }
    std::size_t forget_user(const std::string& user)
    {
        return testing::run_coroutine(archive.forget_user(user)).value();
    }
    /// After all that was told before was written.
    std::uint64_t recorded_bytes(const std::string& id)
    {
        forget("nobody");
        std::error_code none;
        const auto bytes = std::filesystem::file_size(archive.recording_path(id), none);
        return none ? 0 : bytes;
    }

    store::TemporaryFile files;
    Metrics metrics;
    store::Database database;
    Archive archive;
};

Line line(std::uint64_t number, std::string role, std::string text)
{
    Line made;
    made.number = number;
    made.role = std::move(role);
    made.text = made.heard = std::move(text);
    return made;
}

const std::vector<std::byte> second(48'000, std::byte{33});

}  // namespace

TEST_CASE("a conversation leaves its lines and its sound")
{
    Desk desk;
    const auto record = desk.archive.make_record();
    const Instant start = Clock::now() - std::chrono::seconds(10);
    CHECK(record->wants_audio());
    record->began("sess_a", "Kim", "oh_kyungmi", start);
    record->lines(std::vector{line(1, "user", "안녕"), line(2, "assistant", "네")});
    record->on_user_audio(second, start + std::chrono::seconds(1));
    record->on_character_audio(second, start + std::chrono::seconds(2));
    record->on_cut(start + milliseconds(2'500));
    const auto running = desk.look("sess_a");
    REQUIRE(running.has_value());
    CHECK(running->user == "Kim");
    CHECK(running->lines.size() == 2);
    CHECK(running->ended_unix_ms == 0);
    record->ended(start + std::chrono::seconds(10));
    CHECK(desk.look("sess_a")->ended_unix_ms > 0);
    CHECK(desk.recorded_bytes("sess_a") == 44 + 10 * 96'000);
    CHECK(desk.metrics.recording_dropped_bytes.value() == 0);
    CHECK(desk.metrics.transcript_lines_dropped_total.value() == 0);
}

TEST_CASE("a conversation that is deleted while it runs leaves nothing")
{
    Desk desk;
    const auto record = desk.archive.make_record();
    const Instant start = Clock::now();
    record->began("sess_a", "Kim", "x", start);
    record->lines(std::vector{line(1, "user", "secret")});
    for (int i = 1; i <= 5; ++i) record->on_user_audio(second, start + std::chrono::seconds(i));
    CHECK(desk.recorded_bytes("sess_a") > 44);
    SECTION("by its id") { CHECK(desk.forget("sess_a")); }
    SECTION("by its user") { CHECK(desk.forget_user("Kim") == 1); }
    CHECK_FALSE(desk.look("sess_a").has_value());
    CHECK(desk.recorded_bytes("sess_a") == 0);
    record->lines(std::vector{line(2, "user", "more")});
    for (int i = 6; i <= 10; ++i) record->on_user_audio(second, start + std::chrono::seconds(i));
    record->ended(start + std::chrono::seconds(10));
    CHECK_FALSE(desk.look("sess_a").has_value());
    CHECK(desk.recorded_bytes("sess_a") == 0);
    CHECK_FALSE(desk.forget("sess_a"));
    CHECK(desk.forget_user("Kim") == 0);
    CHECK(desk.metrics.recording_dropped_bytes.value() == 0);
}

TEST_CASE("either is kept without the other")
{
    const Instant start = Clock::now();
    SECTION("lines alone")
    {
        Desk desk(true, false);
        const auto record = desk.archive.make_record();
        CHECK_FALSE(record->wants_audio());
        record->began("sess_a", "", "x", start);
        record->lines(std::vector{line(1, "user", "x")});
        record->on_user_audio(second, start);
        record->ended(start);
        CHECK(desk.look("sess_a")->lines.size() == 1);
        CHECK(desk.archive.recording_path("sess_a").empty());
        CHECK(desk.forget("sess_a"));
    }
    SECTION("sound alone, which its user can still delete")
    {
        Desk desk(false, true);
        const auto record = desk.archive.make_record();
        record->began("sess_a", "Kim", "x", start);
        record->lines(std::vector{line(1, "user", "x")});
        record->on_user_audio(second, start + std::chrono::seconds(1));
        record->ended(start + std::chrono::seconds(1));
        CHECK(desk.look("sess_a")->lines.empty());
        CHECK(desk.recorded_bytes("sess_a") == 44 + 96'000);
        CHECK(desk.forget_user("Kim") == 1);
        CHECK(desk.recorded_bytes("sess_a") == 0);
    }
}

TEST_CASE("a conversation that goes for newer ones takes its recording along")
{
    Desk desk(true, true, {.sessions_max = 1});
    const Instant start = Clock::now();
    for (const char* id : {"sess_a", "sess_b"}) {
        const auto record = desk.archive.make_record();
        record->began(id, "", "x", start);
        record->on_user_audio(second, start + std::chrono::seconds(1));
        record->ended(start + std::chrono::seconds(1));
        CHECK(desk.recorded_bytes(id) == 44 + 96'000);
    }
    CHECK_FALSE(desk.look("sess_a").has_value());
    CHECK(desk.recorded_bytes("sess_a") == 0);
    CHECK(desk.recorded_bytes("sess_b") == 44 + 96'000);
}

TEST_CASE("a record that is let go has ended")
{
    Desk desk;
    auto record = desk.archive.make_record();
    record->began("sess_a", "", "x", Clock::now());
    record->on_user_audio(second, Clock::now());
    record.reset();
    CHECK(desk.look("sess_a")->ended_unix_ms > 0);
    CHECK(desk.recorded_bytes("sess_a") >= 44 + 96'000);
    desk.archive.make_record();  // and one that never began is none
}
