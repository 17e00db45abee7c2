#include "../../../src/base/log_format.hpp"
#include "../../../src/base/log_rate_limit.hpp"
#include "repartee/base/json.hpp"

#include <catch2/catch.hpp>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <limits>

using namespace repartee;
using log::Field;
using log::Level;
using log::RateLimit;

namespace {

// 2026-11-21T09:00:00.123Z
const auto moment = std::chrono::system_clock::time_point(std::chrono::milliseconds(1'795'251'600'123));

std::string text(std::initializer_list<Field> fields)
{
    return log::format_text(moment, Level::info, "session.start", {fields.begin(), fields.size()});
}

std::string json_line(std::initializer_list<Field> fields)
{
    return log::format_json(moment, Level::warn, "session.start", {fields.begin(), fields.size()});
}

/// Standard error as a packet pipe: each read returns exactly what one write(2) wrote.
class CapturedStandardError {
public:
    CapturedStandardError() : saved_(::dup(STDERR_FILENO))
    {
        REQUIRE(::pipe2(pipe_.data(), O_DIRECT | O_NONBLOCK) == 0);
        REQUIRE(::fcntl(pipe_[1], F_SETPIPE_SZ, 1 << 20) >= 1 << 20);  // a packet takes a page
        ::dup2(pipe_[1], STDERR_FILENO);
    }
    ~CapturedStandardError()
    {
        ::dup2(saved_, STDERR_FILENO);
        for (int fd : {pipe_[0], pipe_[1], saved_}) ::close(fd);
    }
    std::vector<std::string> writes()
    {
        std::vector<std::string> all;
        std::array<char, 8192> packet;
        for (ssize_t n; (n = ::read(pipe_[0], packet.data(), packet.size())) > 0;)
            all.emplace_back(packet.data(), static_cast<std::size_t>(n));
        return all;
    }

private:
    std::array<int, 2> pipe_{};
    int saved_;
};

}  // namespace

TEST_CASE("a text record is time, level, event and fields in one line")
{
    CHECK(text({}) == "2026-11-21T09:00:00.123Z info session.start\n");
    CHECK(text({{"session", "sess_1"}, {"character", "박지훈"}, {"ms", 12}, {"ok", true}}) ==
          "2026-11-21T09:00:00.123Z info session.start session=sess_1 character=박지훈 ms=12 ok=true\n");
}

TEST_CASE("text values cannot break out of their record")
{
    CHECK(text({{"v", "two words"}}) == "2026-11-21T09:00:00.123Z info session.start v=\"two words\"\n");
    CHECK(text({{"v", "a=b"}}) == "2026-11-21T09:00:00.123Z info session.start v=\"a=b\"\n");
    CHECK(text({{"v", "x\n2026 error forged"}}) == "2026-11-21T09:00:00.123Z info session.start v=\"x\\n2026 error forged\"\n");
    CHECK(text({{"v", "\x1b[31m"}}) == "2026-11-21T09:00:00.123Z info session.start v=\"\\u001b[31m\"\n");
    CHECK(text({{"v", ""}}) == "2026-11-21T09:00:00.123Z info session.start v=\"\"\n");
    CHECK(text({{"v", "\xFF"}}) == "2026-11-21T09:00:00.123Z info session.start v=\"\xEF\xBF\xBD\"\n");
}

TEST_CASE("long values are cut between characters and say how long they were")
{
    const std::string whole(log::value_bytes_max, 'a');
    CHECK(text({{"v", whole}}).find(whole + "\n") != std::string::npos);
    const std::string cut = text({{"v", whole + "b"}});
    CHECK(cut.find(whole + "… (2049 bytes)\"\n") != std::string::npos);
    std::string korean = "a";
    while (korean.size() < 3'000) korean += "한";
    const std::string line = json_line({{"v", korean}});
    const auto record = json::parse_object(line);
    REQUIRE(record.has_value());
    const std::string_view value = *json::find_string(*record, "v");
    CHECK(value.size() <= log::value_bytes_max + 20);
    CHECK(value.ends_with("한… (3001 bytes)"));
}

TEST_CASE("a JSON record parses back, with numbers as numbers")
{
    const std::string line = json_line({{"text", "a \"b\"\n\xFF"},
                                        {"n", 42},
                                        {"f", 1.5},
                                        {"b", false},
                                        {"c", 'x'},
                                        {"id", "42"},
                                        {"nan", std::numeric_limits<double>::quiet_NaN()},
                                        {"inf", -std::numeric_limits<double>::infinity()}});
    CHECK(line.find('\n') == line.size() - 1);
    const auto record = json::parse_object(line);
    REQUIRE(record.has_value());
    CHECK(json::find_string(*record, "time") == "2026-11-21T09:00:00.123Z");
    CHECK(json::find_string(*record, "level") == "warn");
    CHECK(json::find_string(*record, "event") == "session.start");
    CHECK(json::find_string(*record, "text") == "a \"b\"\n\xEF\xBF\xBD");
    CHECK(json::find_int(*record, "n") == 42);
    CHECK(json::find_number(*record, "f") == 1.5);
    CHECK(json::find_bool(*record, "b") == false);
    CHECK(json::find_string(*record, "c") == "x");
    CHECK(json::find_string(*record, "id") == "42");
    CHECK(json::find_string(*record, "nan") == "nan");
    CHECK(json::find_string(*record, "inf") == "-inf");
}

TEST_CASE("fifty records of a word pass in a second, the others are counted")
{
    RateLimit limit;
    const Instant start{};
    for (int i = 0; i < 50; ++i) CHECK(limit.admit("a", Level::info, start + milliseconds(i)));
    for (int i = 0; i < 7; ++i) CHECK_FALSE(limit.admit("a", i == 3 ? Level::error : Level::debug, start + milliseconds(100)));
    CHECK(limit.admit("b", Level::info, start + milliseconds(100)));
    CHECK(limit.take_counts(start + milliseconds(999)).empty());
    const auto counts = limit.take_counts(start + milliseconds(1'000));
    REQUIRE(counts.size() == 1);
    CHECK(counts[0].event == "a");
    CHECK(counts[0].count == 7);
    CHECK(counts[0].level == Level::error);
    CHECK(limit.take_counts(start + milliseconds(5'000)).empty());
    CHECK(limit.admit("a", Level::info, start + milliseconds(1'000)));
}

TEST_CASE("the end takes counts of a second that is not over")
{
    RateLimit limit;
    for (int i = 0; i < 51; ++i) limit.admit("a", Level::warn, Instant{});
    const auto counts = limit.take_counts(Instant::max());
    REQUIRE(counts.size() == 1);
    CHECK(counts[0].count == 1);
}

TEST_CASE("the table of event words is bounded and gives the place of an unused word")
{
    RateLimit limit;
    const Instant start{};
    for (std::size_t i = 0; i < RateLimit::words_max; ++i) CHECK(limit.admit("w" + std::to_string(i), Level::info, start));
    // All are in use: strangers share one place, so not more than 50 of them pass.
    int passed = 0;
    for (int i = 0; i < 1'000; ++i) passed += limit.admit("x" + std::to_string(i), Level::info, start) ? 1 : 0;
    CHECK(passed == 49);
    // A second later places are free again.
    CHECK(limit.take_counts(start + milliseconds(1'000)).size() == 1);
    for (int i = 0; i < 100; ++i) CHECK(limit.admit("y" + std::to_string(i), Level::info, start + milliseconds(1'000)));
}

TEST_CASE("a record is one write, and only of an enabled level")
{
    std::vector<std::string> writes;
    {
        CapturedStandardError captured;
        log::configure(Level::warn, false);
        log::info("test.quiet", {{"a", 1}});
        log::warn("test.loud", {{"a", "b c"}});
        log::configure(Level::debug, true);
        log::debug("test.json");
        log::configure(Level::off, false);
        log::error("test.off");
        log::configure(Level::info, false);
        writes = captured.writes();
    }
    REQUIRE(writes.size() == 2);
    CHECK(writes[0].ends_with(" warn test.loud a=\"b c\"\n"));
    CHECK(json::parse_object(writes[1]).has_value());
}

TEST_CASE("a flood of one event ends with its count")
{
    std::vector<std::string> writes;
    {
        CapturedStandardError captured;
        for (int i = 0; i < 200; ++i) log::info("test.flood");
        log::flush_counts();
        writes = captured.writes();
    }
    // Were the loop slower than a second, more would pass and the count be smaller, but nothing is lost.
    int written = 0, counted = 0;
    for (const std::string& line : writes) {
        if (line.ends_with(" info test.flood\n")) ++written;
        const auto at = line.find("log.suppressed of=test.flood count=");
        if (at != std::string::npos) counted += std::stoi(line.substr(line.rfind('=') + 1));
    }
    CHECK(written >= 50);
    CHECK(written + counted == 200);
}
