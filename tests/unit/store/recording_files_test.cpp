#include "repartee/store/recording_files.hpp"
#include "repartee/audio/wav.hpp"
#include "temporary_file.hpp"

#include <catch2/catch.hpp>
#include <cstring>
#include <fstream>
#include <future>
#include <sys/stat.h>
#include <thread>

using namespace repartee;
using namespace repartee::store;

namespace {

constexpr std::size_t second = 24'000;  ///< frames

struct Store {
    explicit Store(RecordingLimits limits = {}, std::string in = {})
        : folder(in.empty() ? files.path("recordings") : std::move(in)), recordings(folder, limits, dropped)
    {
    }

    /// Also waits for all that was asked for before.
    bool remove(const std::string& id)
    {
        std::promise<bool> removed;
        if (!recordings.remove(id, [&](bool was_there) { removed.set_value(was_there); })) throw std::runtime_error("queue full");
        return removed.get_future().get();
    }
    void settle() { remove("nobody"); }

    std::string read(const std::string& id)
    {
        settle();
        std::ifstream in(recordings.path(id), std::ios::binary);
        return std::string(std::istreambuf_iterator<char>(in), {});
    }

    /// The samples, left, right, left, …; the header must be right to the byte.
    std::vector<std::int16_t> samples(const std::string& id)
    {
        const std::string file = read(id);
        const auto format = audio::parse_wav(std::as_bytes(std::span(file)));
        if (!format) throw std::runtime_error(format.error().message);
        CHECK(format->sample_rate_hz == 24'000);
        CHECK(format->channels == 2);
        CHECK(format->data_offset == 44);
        std::uint32_t riff = 0, data = 0;
        std::memcpy(&riff, file.data() + 4, 4);
        std::memcpy(&data, file.data() + 40, 4);
        CHECK(data == file.size() - 44);
        CHECK(riff == file.size() - 8);
        std::vector<std::int16_t> out(format->data_bytes / 2);
        std::memcpy(out.data(), file.data() + 44, format->data_bytes);
        return out;
    }

    bool exists(const std::string& id)
    {
        settle();
        return std::filesystem::exists(recordings.path(id));
    }

    TemporaryFile files;
    std::string folder;
    Counter dropped;
    RecordingFiles recordings;
};

std::vector<std::int16_t> frames(std::size_t count, std::int16_t value) { return std::vector<std::int16_t>(count * 2, value); }

}  // namespace

TEST_CASE("a recording can be read at every moment, and has its silences")
{
    Store store;
    REQUIRE(store.recordings.begin("sess_a"));
    CHECK(store.read("sess_a").size() == 44);
    REQUIRE(store.recordings.write("sess_a", 0, frames(second, 7)));
    CHECK(store.samples("sess_a") == frames(second, 7));
    REQUIRE(store.recordings.write("sess_a", 3 * second, frames(second / 2, 9)));
    auto wanted = frames(second, 7);
    wanted.resize(6 * second);
    const auto end = frames(second / 2, 9);
    wanted.insert(wanted.end(), end.begin(), end.end());
    CHECK(store.samples("sess_a") == wanted);
    REQUIRE(store.recordings.end("sess_a", 5 * second));
    wanted.resize(10 * second);
    CHECK(store.samples("sess_a") == wanted);
    CHECK(store.dropped.value() == 0);
}

TEST_CASE("nobody else on the machine may read them")
{
    Store store;
    REQUIRE(store.recordings.begin("sess_a"));
    store.settle();
    struct stat status {};
    REQUIRE(::stat(store.recordings.path("sess_a").c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
    REQUIRE(::stat(store.folder.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0700);
}

TEST_CASE("only ids reach the file system")
{
    Store store;
    const std::string ids[] = {"", "../../etc/passwd", "a/b", "a.b", "sess_ä", "a b", "..", std::string(65, 'a')};
    for (const std::string& id : ids) {
        CAPTURE(id);
        CHECK_FALSE(store.recordings.begin(id));
        CHECK_FALSE(store.recordings.write(id, 0, frames(1, 1)));
        CHECK_FALSE(store.recordings.end(id, 1));
        CHECK_FALSE(store.recordings.remove(id, {}));
        CHECK(store.recordings.path(id).empty());
    }
    CHECK_FALSE(store.recordings.path("sess_a").empty());
}

TEST_CASE("a recording that was removed does not come back")
{
    Store store;
    REQUIRE(store.recordings.begin("sess_a"));
    REQUIRE(store.recordings.write("sess_a", 0, frames(second, 7)));
    CHECK(store.remove("sess_a"));
    CHECK_FALSE(store.remove("sess_a"));
    REQUIRE(store.recordings.write("sess_a", second, frames(second, 7)));
    REQUIRE(store.recordings.end("sess_a", 2 * second));
    CHECK_FALSE(store.exists("sess_a"));
    CHECK(store.dropped.value() == 0);
}

TEST_CASE("a conversation without a sound leaves no file")
{
    Store store;
    REQUIRE(store.recordings.begin("sess_a"));
    REQUIRE(store.recordings.end("sess_a", 60 * second));
    CHECK_FALSE(store.exists("sess_a"));
}

TEST_CASE("a file is bounded, and stays readable")
{
    Store store({.file_bytes_max = 44 + 4 * 30'000});
    REQUIRE(store.recordings.begin("sess_a"));
    for (std::uint64_t i = 0; i < 4; ++i) REQUIRE(store.recordings.write("sess_a", i * second, frames(second, 7)));
    REQUIRE(store.recordings.end("sess_a", 4 * second));
    CHECK(store.samples("sess_a") == frames(30'000, 7));
    REQUIRE(store.recordings.begin("sess_b"));
    REQUIRE(store.recordings.write("sess_b", 1'000 * second, frames(second, 7)));
    CHECK(store.samples("sess_b") == frames(30'000, 0));
}

TEST_CASE("all files together are bounded: the longest unwritten go first")
{
    Store store({.total_bytes_max = 10 * 96'044});
    for (int i = 0; i < 10; ++i) {
        const std::string id = "sess_" + std::to_string(i);
        REQUIRE(store.recordings.begin(id));
        REQUIRE(store.recordings.write(id, 0, frames(second, 7)));
        REQUIRE(store.exists(id));
        std::this_thread::sleep_for(std::chrono::milliseconds(10));  // the clock of a file system is coarse
    }
    REQUIRE(store.recordings.write("sess_0", second, frames(second, 7)));
    CHECK(store.exists("sess_0"));  // the newest now
    CHECK_FALSE(store.exists("sess_1"));
    CHECK_FALSE(store.exists("sess_2"));
    CHECK(store.exists("sess_3"));
    CHECK(store.exists("sess_9"));
}

TEST_CASE("age is bounded; what lies beside is left alone; what was there counts")
{
    const TemporaryFile files;
    const std::string folder = files.path("recordings");
    std::filesystem::create_directories(folder + "/sess_folder.wav");
    for (const char* name : {"sess_old.wav", "sess_new.wav", "notes.txt", "a.b.wav"}) std::ofstream(folder + "/" + name) << std::string(1'000, 'x');
    const auto long_ago = std::filesystem::file_time_type::clock::now() - std::chrono::hours(24 * 31);
    for (const char* name : {"sess_old.wav", "notes.txt", "a.b.wav", "sess_folder.wav"})
        std::filesystem::last_write_time(folder + "/" + name, long_ago);
    const auto is_there = [&](const char* name) { return std::filesystem::exists(folder + "/" + name); };
    SECTION("age")
    {
        Store store({}, folder);
        REQUIRE(store.recordings.prune());
        store.settle();
        CHECK_FALSE(is_there("sess_old.wav"));
        CHECK(is_there("sess_new.wav"));
    }
    SECTION("total")
    {
        Store store({.total_bytes_max = 1'500}, folder);
        store.settle();
        CHECK_FALSE(is_there("sess_old.wav"));
        CHECK(is_there("sess_new.wav"));
    }
    CHECK(is_there("notes.txt"));
    CHECK(is_there("a.b.wav"));
    CHECK(is_there("sess_folder.wav"));
}

TEST_CASE("a link in the folder is not followed")
{
    Store store;
    store.settle();
    const std::string outside = store.files.path("outside");
    std::ofstream(outside) << "precious";
    std::filesystem::create_symlink(outside, store.folder + "/sess_link.wav");
    REQUIRE(store.recordings.begin("sess_link"));
    REQUIRE(store.recordings.write("sess_link", 0, frames(second, 7)));
    store.settle();
    CHECK(std::filesystem::file_size(outside) == 8);
}

TEST_CASE("a folder that takes no files costs sound, not the server")
{
    const TemporaryFile files;
    std::ofstream(files.path("plain")) << "x";
    Store store({}, files.path("plain"));
    REQUIRE(store.recordings.begin("sess_a"));
    REQUIRE(store.recordings.write("sess_a", 0, frames(second, 7)));
    REQUIRE(store.recordings.end("sess_a", second));
    CHECK_FALSE(store.exists("sess_a"));
    CHECK(store.dropped.value() == second * 4);
}

TEST_CASE("what waits is bounded; what was dropped is silence, and counted")
{
    Store store({.queued_bytes_max = 300'000});
    std::promise<void> release;
    REQUIRE(store.recordings.begin("sess_a"));
    REQUIRE(store.recordings.remove("nobody", [held = release.get_future().share()](bool) { held.wait(); }));
    int taken = 0;
    for (std::uint64_t i = 0; i < 10; ++i) taken += store.recordings.write("sess_a", i * second, frames(second, 7));
    CHECK(taken == 3);
    CHECK(store.dropped.value() == 7 * second * 4);
    release.set_value();
    store.settle();
    REQUIRE(store.recordings.write("sess_a", 9 * second, frames(second, 9)));
    auto wanted = frames(3 * second, 7);
    wanted.resize(18 * second);
    const auto end = frames(second, 9);
    wanted.insert(wanted.end(), end.begin(), end.end());
    CHECK(store.samples("sess_a") == wanted);
}

TEST_CASE("going away writes what is queued")
{
    const TemporaryFile files;
    const std::string folder = files.path("recordings");
    Counter dropped;
    {
        RecordingFiles recordings(folder, {}, dropped);
        REQUIRE(recordings.begin("sess_a"));
        for (std::uint64_t i = 0; i < 50; ++i) REQUIRE(recordings.write("sess_a", i * second, frames(second, 7)));
        REQUIRE(recordings.end("sess_a", 51 * second));
    }
    CHECK(std::filesystem::file_size(folder + "/sess_a.wav") == 44 + 51 * second * 4);
}
