#include "repartee/audio/wav.hpp"
#include "repartee/voice/listening.hpp"
#include "voice/listening_answers.hpp"

#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>

using namespace repartee;
using namespace repartee::voice;

TEST_CASE("a sentence is one line, or JSON with its times")
{
    providers::Transcript transcript;
    transcript.text = "First.\nSecond.";
    transcript.language = "en";
    transcript.segments = {{0.5, 1.25, "First."}};
    const Heard when{1'000, 3'000, 42};
    REQUIRE(sentence_answer(transcript, when, false) == "First. Second.");
    REQUIRE(sentence_answer({}, when, false).empty());
    REQUIRE(sentence_answer(transcript, when, true) ==
            R"({"type":"text","text":"First. Second.","start_ms":1000,"end_ms":3000,"duration_ms":2000,"processing_ms":42,"language":"en",)"
            R"("segments":[{"start_ms":1500,"end_ms":2250,"text":"First."}]})");
}

TEST_CASE("a failure is a clear text")
{
    const Error error{Code::timeout, "It took\ntoo long."};
    REQUIRE(failure_answer(error, false) == "[not recognised] It took too long.");
    REQUIRE(failure_answer(error, true) == R"({"type":"error","code":"timeout","message":"It took too long."})");
}

TEST_CASE("both forms of commit are understood")
{
    REQUIRE(is_commit("commit"));
    REQUIRE(is_commit(" commit\n"));
    REQUIRE(is_commit(R"({"type":"commit"})"));
    REQUIRE_FALSE(is_commit(R"({"type":"other"})"));
    REQUIRE_FALSE(is_commit("{"));
    REQUIRE_FALSE(is_commit(""));
}

TEST_CASE("debug recordings go round, and go on behind the newest")
{
    const std::string folder = (std::filesystem::temp_directory_path() / ("repartee_debug_" + std::to_string(::getpid()))).string();
    std::filesystem::remove_all(folder);
    const auto keep = [&](std::int16_t value, int times) {
        DebugRecordings recordings(folder, 3);
        const std::vector<std::int16_t> samples(160, value);
        for (int i = 0; i < times; ++i) recordings.keep(samples, 16'000);
    };
    const auto files = [&] {
        std::vector<std::string> names;
        for (const auto& entry : std::filesystem::directory_iterator(folder)) names.push_back(entry.path().filename().string());
        std::sort(names.begin(), names.end());
        return names;
    };
    keep(1, 2);
    REQUIRE(files() == std::vector<std::string>{"debug_0001.wav", "debug_0002.wav"});
    keep(2, 1);
    REQUIRE(files().size() == 3);
    keep(3, 2);
    REQUIRE(files().size() == 3);
    std::ifstream in(folder + "/debug_0003.wav", std::ios::binary);
    const std::string wav((std::istreambuf_iterator<char>(in)), {});
    const auto format = audio::parse_wav(std::as_bytes(std::span(wav)));
    REQUIRE(format.has_value());
    REQUIRE(format->sample_rate_hz == 16'000);
    REQUIRE(format->data_bytes == 320);
    std::filesystem::remove_all(folder);
}
