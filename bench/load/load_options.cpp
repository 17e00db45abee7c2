#include "load_config.hpp"

#include "frame_content.hpp"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>

namespace repartee::bench {
namespace {

struct Words {
    std::string dialect = "conversation", mode = "echo";
    bool ramp = false, connect_only = false, hold = false;
    std::vector<std::string> headers;
};

void describe(CLI::App& program, LoadConfig& config, Words& words)
{
    program.option_defaults()->always_capture_default();
    program.add_option("--url", config.url_text, "ws://HOST:PORT/PATH?QUERY or wss://…")->required();
    program.add_option("--ca", config.ca_file, "wss: PEM file of the authority to trust; default: the system's")->type_name("FILE");
    program.add_option("--header", words.headers, "\"Name: value\", e.g. \"Authorization: Bearer KEY\"; may be repeated")->allow_extra_args(false);
    program.add_option("--dialect", words.dialect, "conversation: binary PCM16, as /ws/conversations takes it; realtime: the Realtime API")
        ->check(CLI::IsMember({"conversation", "realtime"}));
    program.add_option("--mode", words.mode, "echo, burst (fast replies) or talk (turns, interruptions); the upstream's must be the same")
        ->check(CLI::IsMember({"echo", "burst", "talk"}));
    program.add_option("--sessions", config.sessions, "Clients at a time; ramp: to begin with; connect-only: one after another")
        ->check(CLI::Range(1, 100'000));
    program.add_option("--frame-ms", config.frame_ms, "Length of a microphone's frame")->check(CLI::Range(2, 1000));
    program.add_option("--rate-hz", config.rate_hz, "Client's sample rate, both ways. Not 24000: audio is counted, not verified, and the "
                                                         "resamplers' delay, up to a frame, is part of the latency")
        ->check(CLI::IsMember({8000, 16000, 24000, 44100, 48000}));
    program.add_option("--seconds", config.seconds, "Measuring window; ramp: of each step")->check(CLI::Range(0.1, 86'400.0));
    program.add_option("--warmup-s", config.warmup_s, "Work before the window")->check(CLI::Range(0.0, 3'600.0));

    auto* ramp = program.add_flag("--ramp", words.ramp, "More sessions step by step, until p99 is over its limit or something fails");
    program.add_option("--ramp-step", config.ramp_step, "Sessions that each step adds")->check(CLI::Range(1, 100'000));
    program.add_option("--ramp-max", config.ramp_sessions_max, "Sessions at which the ramp ends in any case")->check(CLI::Range(1, 100'000));
    program.add_option("--p99-limit-ms", config.p99_limit_ms, "Latency that ends the ramp")->check(CLI::Range(0.01, 60'000.0));
    auto* connect = program.add_flag("--connect-only", words.connect_only, "Open and close one session after another; measures how long each takes");
    program.add_option("--connect-interval-ms", config.connect_interval_ms, "connect-only: pause between two")->check(CLI::Range(0, 600'000));
    auto* hold = program.add_flag("--hold", words.hold, "Everyone speaks for a second and is silent then for --seconds: for measuring memory");
    ramp->excludes(connect)->excludes(hold);
    connect->excludes(hold);

    program.add_option("--turn-ms", config.turn_ms, "burst: length of the person's turn")->check(CLI::Range(2, 60'000));
    program.add_option("--turn-gap-ms", config.turn_gap_ms, "burst: pause between a reply and the next turn")->check(CLI::Range(0, 600'000));
    program.add_option("--connect-limit-ms", config.connect_limit_ms, "Time for a session to become live")->check(CLI::Range(10, 600'000));
    program.add_option("--connect-parallel", config.connects_at_once, "Sessions that are opened at the same time")->check(CLI::Range(1, 10'000));
    program.add_option("--drain-limit-ms", config.drain_limit_ms, "Time for what was sent to be answered, after the window")
        ->check(CLI::Range(10, 600'000));
    program.add_flag("--progress", config.progress, "A line of JSON a second on standard error");
    program.add_flag("--json", config.json, "The result as one JSON object instead of a summary");
}

void add_query_unless_given(WsUrl& url, std::string_view name, const std::string& value)
{
    if (!query_value(url.target, name)) add_query(url.target, name, value);
}

void interpret(const Words& words, LoadConfig& config)
{
    config.dialect = words.dialect == "realtime" ? Dialect::realtime : Dialect::conversation;
    config.mode = words.mode == "burst" ? LoadMode::burst : words.mode == "talk" ? LoadMode::talk : LoadMode::echo;
    config.plan = words.ramp ? Plan::ramp : words.connect_only ? Plan::connect : words.hold ? Plan::hold : Plan::window;
    config.url = parse_ws_url(config.url_text);
    for (const std::string& header : words.headers) {
        const std::size_t colon = header.find(':');
        if (colon == header.npos || colon == 0 || header.find_first_of("\r\n") != header.npos)
            throw std::runtime_error("--header wants \"Name: value\" on one line.");
        const std::size_t value = header.find_first_not_of(' ', colon + 1);
        config.headers.emplace_back(header.substr(0, colon), value == header.npos ? "" : header.substr(value));
    }
    if (!config.verifies() && (config.dialect == Dialect::realtime || config.mode != LoadMode::echo))
        throw std::runtime_error("--rate-hz other than 24000 goes with --dialect conversation --mode echo only.");
    if (config.frame_bytes() <= tag_bytes || config.frame_bytes() % 2 != 0)
        throw std::runtime_error("--frame-ms at this rate does not make frames of whole samples, longer than a tag.");
    if (config.dialect == Dialect::realtime) return;
    add_query_unless_given(config.url, "input_rate", std::to_string(config.rate_hz));
    add_query_unless_given(config.url, "output_rate", std::to_string(config.rate_hz));
    // Held back audio would look like latency; a talk is measured as people have it.
    if (config.mode != LoadMode::talk) add_query_unless_given(config.url, "pacing", "off");
    if (config.mode == LoadMode::burst) add_query_unless_given(config.url, "turn_detection", "none");
}

}  // namespace

std::optional<LoadConfig> parse_load_options(int argc, char** argv, int& exit_status)
{
    CLI::App program("Clients that talk to a voice server or relay, and measure it. Exit status: 0 all is well, 1 something failed, 2 wrong options, "
                     "3 audio was lost, altered or reordered.",
                     "repartee-bench-load");
    LoadConfig config;
    Words words;
    describe(program, config, words);
    try {
        program.parse(argc, argv);
        interpret(words, config);
        return config;
    } catch (const CLI::ParseError& mistake) {
        exit_status = program.exit(mistake) == 0 ? 0 : 2;
    } catch (const std::exception& mistake) {
        std::fprintf(stderr, "repartee-bench-load: %s\n", mistake.what());
        exit_status = 2;
    }
    return std::nullopt;
}

}  // namespace repartee::bench
