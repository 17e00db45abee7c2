#include "engine/realtime/turn_detector.hpp"

#include "script.hpp"

#include <catch2/catch.hpp>

using namespace repartee;
using namespace repartee::engine;
using script::quiet;
using script::Samples;
using script::voice;

namespace {

using Edges = std::vector<TurnEdge>;

realtime::TurnDetection server_vad(std::int64_t padding_ms, std::int64_t silence_ms)
{
    return {.type = realtime::TurnDetection::Type::server_vad, .prefix_padding_ms = padding_ms, .silence_duration_ms = silence_ms};
}

Samples joined(std::initializer_list<Samples> parts)
{
    Samples all;
    for (const Samples& part : parts) all.insert(all.end(), part.begin(), part.end());
    return all;
}

Edges edges_of(const realtime::TurnDetection& settings, const Samples& samples, std::size_t chunk = 480, std::uint64_t at = 0)
{
    TurnDetector detector(settings, at);
    Edges edges;
    for (std::size_t i = 0; i < samples.size(); i += chunk) detector.process(std::span(samples).subspan(i, std::min(chunk, samples.size() - i)), edges);
    return edges;
}

std::int64_t ms(const TurnEdge& edge) { return static_cast<std::int64_t>(edge.at_sample) / 24; }

}  // namespace

TEST_CASE("A burst of speech is one turn, from its padding to the end of its silence", "[turn_detector]")
{
    const auto edges = edges_of(server_vad(300, 500), joined({quiet(1000), voice(800), quiet(1000)}));
    REQUIRE(edges.size() == 2);
    CHECK(edges[0].kind == TurnEdge::Kind::started);
    CHECK(ms(edges[0]) == 700);
    CHECK(edges[1].kind == TurnEdge::Kind::stopped);
    CHECK(ms(edges[1]) >= 2300);
    CHECK(ms(edges[1]) <= 2340);  // the detector's own release is up to two frames
}

TEST_CASE("How the samples are cut into chunks changes nothing", "[turn_detector]")
{
    const Samples samples = joined({quiet(500), voice(400), quiet(700), voice(300), quiet(700)});
    const auto whole = edges_of(server_vad(300, 300), samples, samples.size());
    REQUIRE(whole.size() == 4);
    for (const std::size_t chunk : {1, 7, 479, 480, 481, 4800}) CHECK(edges_of(server_vad(300, 300), samples, chunk) == whole);
}

TEST_CASE("A pause shorter than the silence does not end the turn, a longer one does", "[turn_detector]")
{
    const Samples samples = joined({quiet(300), voice(400), quiet(400), voice(400), quiet(900)});
    CHECK(edges_of(server_vad(0, 600), samples).size() == 2);
    CHECK(edges_of(server_vad(0, 300), samples).size() == 4);
}

TEST_CASE("A click is no turn, wherever in a frame it falls", "[turn_detector]")
{
    const int offset = GENERATE(0, 100, 240, 400);
    Samples samples = quiet(2000);
    for (std::size_t i = 0; i < samples.size(); ++i) samples[i] = static_cast<std::int16_t>(static_cast<int>(i * 7919 % 41) - 20);  // a room's rustle
    const Samples click = voice(8);
    std::copy(click.begin(), click.end(), samples.begin() + 24'000 + offset);
    CHECK(edges_of(server_vad(300, 200), samples).empty());
}

TEST_CASE("A threshold of 1 hears nobody; positions start where the detector was told", "[turn_detector]")
{
    auto deaf = server_vad(300, 200);
    deaf.threshold = 1;
    CHECK(edges_of(deaf, joined({quiet(300), voice(20)})).empty());
    const auto edges = edges_of(server_vad(100, 200), joined({quiet(300), voice(300)}), 480, 24'000 * 10);
    REQUIRE(edges.size() == 1);
    CHECK(ms(edges[0]) == 10'200);
}

TEST_CASE("Padding never reaches before the first sample of all", "[turn_detector]")
{
    const auto edges = edges_of(server_vad(1000, 200), joined({quiet(200), voice(300)}));
    REQUIRE(edges.size() == 1);
    CHECK(edges[0].at_sample == 0);
}

TEST_CASE("Semantic VAD waits as long as its eagerness says", "[turn_detector]")
{
    const auto [eagerness, silence_ms] = GENERATE(table<std::string, int>({{"low", 1200}, {"medium", 800}, {"auto", 800}, {"high", 500}}));
    realtime::TurnDetection semantic;
    semantic.type = realtime::TurnDetection::Type::semantic_vad;
    semantic.eagerness = eagerness;
    const auto edges = edges_of(semantic, joined({quiet(400), voice(400), quiet(2000)}));
    REQUIRE(edges.size() == 2);
    CHECK(ms(edges[0]) == 100);
    CHECK(ms(edges[1]) >= 800 + silence_ms);
    CHECK(ms(edges[1]) <= 840 + silence_ms);
}

TEST_CASE("New settings hold within a turn, and a forgotten turn never stops", "[turn_detector]")
{
    TurnDetector detector(server_vad(0, 5000), 0);
    Edges edges;
    detector.process(joined({quiet(300), voice(300), quiet(1000)}), edges);
    REQUIRE(edges.size() == 1);
    CHECK(detector.speaking());
    detector.configure(server_vad(0, 200));
    detector.process(quiet(20), edges);
    CHECK(edges.size() == 2);

    detector.process(voice(300), edges);
    CHECK(edges.size() == 3);
    detector.forget_turn();
    CHECK_FALSE(detector.speaking());
    detector.process(quiet(2000), edges);
    CHECK(edges.size() == 3);
}
