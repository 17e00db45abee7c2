#include "repartee/audio/tone.hpp"
#include "repartee/audio/wav.hpp"
#include "repartee/providers/espeak_tts.hpp"
#include "repartee/providers/program.hpp"
#include "run.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <unistd.h>

using namespace repartee;
using namespace repartee::providers;
using test::ok;

namespace {

namespace fs = std::filesystem;

class TemporaryFolder {
public:
    TemporaryFolder()
    {
        std::string name = (fs::temp_directory_path() / "repartee-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        path_ = name;
    }
    ~TemporaryFolder() { fs::remove_all(path_); }
    fs::path operator/(const char* name) const { return path_ / name; }

private:
    fs::path path_;
};

void write_file(const fs::path& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }

std::string read_file(const fs::path& path)
{
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

/// A program that notes its arguments and its input, then runs `script`, in the folder.
std::string make_program(const TemporaryFolder& folder, const std::string& script)
{
    const fs::path program = folder / "voice";
    write_file(program, "#!/bin/sh\ncd \"$(dirname \"$0\")\"\necho \"$@\" > arguments\ncat > input\n" + script + "\n");
    fs::permissions(program, fs::perms::owner_all);
    return program.string();
}

struct Spoken {
    Result<SpeechUsage> outcome{SpeechUsage()};
    std::vector<std::int16_t> samples;
};

Spoken speak(EspeakTts& tts, SpeechRequest request, Stop stop = {})
{
    Spoken spoken;
    const auto collect = [&](std::span<const std::int16_t> piece) { spoken.samples.insert(spoken.samples.end(), piece.begin(), piece.end()); };
    spoken.outcome = test::run(tts.speak(std::move(request), collect, stop));
    return spoken;
}

SpeechRequest text(std::string words)
{
    SpeechRequest request;
    request.text = std::move(words);
    return request;
}

std::string joined(const std::vector<std::string>& words)
{
    std::string all;
    for (const auto& word : words) all += (all.empty() ? "" : " ") + word;
    return all;
}

bool is_loud(std::int16_t sample) { return std::abs(sample) > 1000; }

}  // namespace

TEST_CASE("a request becomes espeak-ng's arguments")
{
    const struct {
        std::string language;
        double pitch, speed;
        std::string arguments;
    } table[] = {
        {"ko", 1.0, 1.0, "-v ko+m3 -p 50 -s 185"},
        {"ko-KR", 1.0, 1.0, "-v ko+m3 -p 50 -s 185"},
        {"en", 1.0, 1.0, "-v en+m3 -p 50 -s 160"},
        {"EN", 2.0, 0.5, "-v en+f3 -p 99 -s 80"},
        {"de", 0.5, 2.0, "-v de+m3 -p 0 -s 320"},
        {"en", 1.2, 4.0, "-v en+f3 -p 63 -s 450"},
        {"en-us", 0.1, 1.0, "-v en-us+m3 -p 0 -s 160"},
        {"--help", 1.0, 1.0, "-v en+m3 -p 50 -s 160"},
        {"../../x", 1.0, 1.0, "-v en+m3 -p 50 -s 160"},
        {"", 1.0, 1.0, "-v en+m3 -p 50 -s 160"},
    };
    for (const auto& row : table) {
        INFO(row.language);
        SpeechRequest request;
        request.language = row.language;
        request.pitch = row.pitch;
        request.speed = row.speed;
        CHECK(joined(espeak_arguments(request)) == row.arguments + " -b 1 --stdin --stdout");
    }
}

TEST_CASE("the program's WAV comes as 24 kHz samples, leading silence cut to 20 ms")
{
    std::vector<std::int16_t> recorded(22'050, 0);
    std::fill(recorded.begin() + 11'025, recorded.end(), std::int16_t{5000});
    std::string wav = audio::make_wav(recorded, 22'050);
    // As espeak-ng writes it to a pipe: the length is not known yet.
    wav.replace(4, 4, "\x24\xF0\xFF\x7F").replace(40, 4, std::string("\x00\xF0\xFF\x7F", 4));
    const TemporaryFolder folder;
    write_file(folder / "speech.wav", wav);
    // Borders in the header, and in the middle of a sample.
    EspeakTts tts(make_program(folder, "head -c 21 speech.wav; tail -c +22 speech.wav | head -c 10000; tail -c +10022 speech.wav"),
                  std::chrono::minutes(1));
    const Spoken spoken = speak(tts, text("한 마디\n[[wVn]] \x1b[0m"));
    REQUIRE(ok(spoken.outcome));
    const auto first = std::ranges::find_if(spoken.samples, is_loud) - spoken.samples.begin();
    CHECK(first >= 300);
    CHECK(first <= 500);
    CHECK(spoken.samples.size() > 12'000);
    CHECK(spoken.samples.size() < 12'600);
    CHECK(spoken.outcome->characters == 17);
    CHECK(read_file(folder / "input") == "한 마디 [ [wVn]] [0m");
    CHECK_THAT(read_file(folder / "arguments"), Catch::StartsWith("-v ko+m3"));
}

TEST_CASE("nothing to say is said without a program")
{
    EspeakTts tts("no-such-program-anywhere", std::chrono::minutes(1));
    const Spoken spoken = speak(tts, text(" \n\t"));
    CHECK(ok(spoken.outcome));
    CHECK(spoken.samples.empty());
}

TEST_CASE("without the program a chime is heard, and health can tell")
{
    for (const std::string program : {"no-such-program-anywhere", ""}) {
        EspeakTts tts(program, std::chrono::minutes(1));
        CHECK_FALSE(tts.available());
        for (int i = 0; i < 2; ++i) {
            const Spoken spoken = speak(tts, text("Hello"));
            CHECK(ok(spoken.outcome));
            CHECK(spoken.samples == audio::chime(24'000, 900));
        }
    }
}

TEST_CASE("a failing voice is an error, not silence")
{
    const TemporaryFolder folder;
    EspeakTts failing(make_program(folder, "echo 'no such voice' >&2; exit 1"), std::chrono::minutes(1));
    CHECK(failing.available());
    const Spoken failed = speak(failing, text("Hello"));
    REQUIRE(!failed.outcome);
    CHECK(failed.outcome.error().code == Code::provider_failed);
    CHECK_THAT(failed.outcome.error().message, Catch::Contains("no such voice"));

    for (const char* script : {"echo hello", "yes hello", "exit 0"}) {
        INFO(script);
        EspeakTts silent(make_program(folder, script), std::chrono::minutes(1));
        const Spoken spoken = speak(silent, text("Hello"));
        REQUIRE(!spoken.outcome);
        CHECK(spoken.outcome.error().code == Code::provider_failed);
        CHECK(spoken.samples.empty());
    }
}

TEST_CASE("speech can be stopped")
{
    const TemporaryFolder folder;
    write_file(folder / "speech.wav", audio::make_wav(std::vector<std::int16_t>(20'000, 5000), 22'050));
    EspeakTts tts(make_program(folder, "cat speech.wav; exec sleep 1000"), std::chrono::minutes(1));
    std::size_t heard = 0;
    std::stop_source stop;
    const auto count = [&](std::span<const std::int16_t> piece) {
        heard += piece.size();
        stop.request_stop();
    };
    const auto outcome = test::run(tts.speak(text("Hello"), count, stop.get_token()));
    REQUIRE(!outcome);
    CHECK(outcome.error().code == Code::cancelled);
}

TEST_CASE("espeak-ng, where it is installed, speaks Korean and English at a natural pace")
{
    EspeakTts tts("espeak-ng", std::chrono::minutes(1));
    if (!is_installed("espeak-ng")) {
        WARN("espeak-ng is not installed: only the chime was tested");
        CHECK_FALSE(tts.available());
        return;
    }
    SpeechRequest korean = text("안녕하세요. 저는 박지훈입니다. 오늘은 어떤 점이 궁금하신가요?");
    const Spoken ko = speak(tts, korean);
    REQUIRE(ok(ko.outcome));
    CHECK(ko.samples.size() > 3 * 24'000);
    CHECK(ko.samples.size() < 8 * 24'000);
    CHECK(std::ranges::count_if(ko.samples, is_loud) > 10'000);
    CHECK(std::ranges::find_if(ko.samples, is_loud) - ko.samples.begin() < 2'400);

    SpeechRequest english = text("Hello, it is nice to meet you.");
    english.language = "en";
    english.pitch = 1.4;
    const Spoken en = speak(tts, english);
    REQUIRE(ok(en.outcome));
    CHECK(en.samples.size() > 1 * 24'000);
    CHECK(en.samples.size() < 5 * 24'000);

    english.language = "qqq";
    const Spoken unknown = speak(tts, english);
    REQUIRE(!unknown.outcome);
    CHECK(unknown.outcome.error().code == Code::provider_failed);
}
