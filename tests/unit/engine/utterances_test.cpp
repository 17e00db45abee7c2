#include "repartee/engine/utterances.hpp"

#include "../audio/signals.hpp"

#include <catch2/catch.hpp>

using namespace repartee::engine;
namespace signals = repartee::audio::signals;

namespace {

struct Sound {
    signals::Samples samples;
    Sound& silence(std::size_t ms)
    {
        const auto quiet = signals::white_noise(ms * 24, -75, static_cast<std::uint32_t>(samples.size() + 1));
        samples.insert(samples.end(), quiet.begin(), quiet.end());
        return *this;
    }
    Sound& voice(std::size_t ms)
    {
        const auto loud = signals::voice(ms * 24, -20);
        samples.insert(samples.end(), loud.begin(), loud.end());
        return *this;
    }
};

std::vector<Utterance> cut(const signals::Samples& samples, std::size_t piece_samples, UtteranceSettings settings = {}, bool flush = true)
{
    UtteranceCutter cutter(settings);
    std::vector<Utterance> out;
    for (std::size_t at = 0; at < samples.size(); at += piece_samples)
        cutter.push(std::span(samples).subspan(at, std::min(piece_samples, samples.size() - at)), out);
    if (flush) cutter.flush(out);
    return out;
}

}  // namespace

TEST_CASE("a stream is cut into what was said, with a little before and the silence behind")
{
    const auto samples = Sound().silence(1'000).voice(1'000).silence(1'500).voice(2'000).silence(1'000).samples;
    for (const std::size_t piece : {1U, 479U, 480U, 2'400U, 10'000'000U}) {
        const auto said = cut(samples, piece);
        REQUIRE(said.size() == 2);
        CHECK(said[0].start_ms >= 600);
        CHECK(said[0].start_ms <= 1'000);
        CHECK(said[0].end_ms >= 2'300);
        CHECK(said[0].end_ms <= 2'900);
        CHECK(said[1].start_ms >= 3'000);
        CHECK(said[1].end_ms <= 6'400);
        for (const Utterance& utterance : said) {
            const auto begin = static_cast<std::size_t>(utterance.start_ms * 24);
            CHECK(utterance.samples.size() == static_cast<std::size_t>((utterance.end_ms - utterance.start_ms) * 24));
            CHECK((std::equal(utterance.samples.begin(), utterance.samples.end(), samples.begin() + static_cast<std::ptrdiff_t>(begin))));
        }
    }
}

TEST_CASE("silence is no utterance")
{
    CHECK(cut(Sound().silence(5'000).samples, 480).empty());
    CHECK(cut({}, 480).empty());
}

TEST_CASE("the end of the stream ends what is being said")
{
    const auto samples = Sound().silence(500).voice(1'000).samples;
    CHECK(cut(samples, 480, {}, false).empty());
    const auto said = cut(samples, 480);
    REQUIRE(said.size() == 1);
    CHECK(said[0].end_ms == 1'500);
}

TEST_CASE("a client may end what it says, and go on")
{
    UtteranceCutter cutter(UtteranceSettings{});
    std::vector<Utterance> out;
    const auto voice = Sound().silence(500).voice(1'000).samples;
    cutter.push(voice, out);
    CHECK(cutter.speaking());
    cutter.flush(out);
    CHECK_FALSE(cutter.speaking());
    CHECK(out.size() == 1);
    cutter.flush(out);
    CHECK(out.size() == 1);
    cutter.push(voice, out);
    cutter.flush(out);
    REQUIRE(out.size() == 2);
    CHECK(out[1].start_ms >= out[0].end_ms);
    CHECK(out[1].end_ms == 3'000);
}

TEST_CASE("a long utterance is cut at its greatest length and goes on as the next")
{
    const auto samples = Sound().silence(1'000).voice(7'000).silence(1'000).samples;
    const auto said = cut(samples, 480, {.utterance_ms_max = 3'000});
    REQUIRE(said.size() == 3);
    CHECK(said[0].end_ms - said[0].start_ms == Approx(3'000).margin(25));
    CHECK(said[1].start_ms == said[0].end_ms);
    CHECK(said[1].end_ms - said[1].start_ms == Approx(3'000).margin(25));
    CHECK(said[2].start_ms == said[1].end_ms);
}

TEST_CASE("the silence behind a cut is no utterance of its own")
{
    const auto samples = Sound().silence(1'000).voice(2'000).silence(2'000).samples;
    const auto whole = cut(samples, 480);
    REQUIRE(whole.size() == 1);
    // Cut within the silence that would have ended it.
    const std::int64_t cut_ms = whole[0].end_ms - whole[0].start_ms - 200;
    const auto said = cut(samples, 480, {.utterance_ms_max = cut_ms});
    REQUIRE(said.size() == 1);
    CHECK(said[0].start_ms == whole[0].start_ms);
}

TEST_CASE("settings out of range do no harm")
{
    const auto samples = Sound().silence(500).voice(2'000).silence(500).samples;
    CHECK(cut(samples, 480, {.prefix_padding_ms = -5, .silence_ms = -1, .utterance_ms_max = -1}).size() > 2);
    CHECK(cut(samples, 480, {.prefix_padding_ms = 60'000, .utterance_ms_max = 200}).size() > 2);
}
