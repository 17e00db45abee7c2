#include "process.hpp"
#include "repartee/base/json.hpp"
#include "upstream_server.hpp"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <limits>

/// repartee-bench-upstream: an OpenAI-like Realtime service that costs next to nothing, for a relay to be measured against.
namespace repartee::bench {
namespace {

constexpr std::int64_t close_limit_ns = ns_per_s;

struct Options {
    std::string address = "127.0.0.1", certificate, key, mode = "echo";
    int port = 0, plain_port = -1;
    UpstreamConfig config;
};

void describe(CLI::App& program, Options& options)
{
    program.option_defaults()->always_capture_default();
    UpstreamConfig& config = options.config;
    program.add_option("--address", options.address, "IPv4 address to listen on");
    program.add_option("--port", options.port, "Port; 0: any that is free, told on standard output")->check(CLI::Range(0, 65535));
    program.add_option("--plain-port", options.plain_port, "Beside wss on --port, plain ws on this port; 0: any")->check(CLI::Range(0, 65535));
    auto* certificate = program.add_option("--cert", options.certificate, "PEM certificate chain; makes --port speak TLS (wss)")->type_name("FILE");
    auto* key = program.add_option("--key", options.key, "PEM key of --cert")->type_name("FILE");
    certificate->needs(key);
    key->needs(certificate);
    program.add_option("--mode", options.mode, "What sessions do whose URL does not say ?mode=")->check(CLI::IsMember({"echo", "burst", "talk"}));
    program.add_option("--frame-ms", config.frame_ms, "burst, talk: length of the load's frames")->check(CLI::Range(2, 1000));
    program.add_option("--reply-ms", config.reply_ms, "burst, talk: length of a reply")->check(CLI::Range(20, 600'000));
    program.add_option("--reply-factor", config.reply_factor, "burst, talk: how many times faster than real time; 0: as fast as it is taken")
        ->check(CLI::Range(0.0, 1e6));
    program.add_option("--delta-ms", config.delta_ms, "burst, talk: audio in one delta")->check(CLI::Range(20, 10'000));
    program.add_option("--silence-ms", config.silence_ms, "talk: silence that ends a turn")->check(CLI::Range(2, 10'000));
}

json::object summary(const UpstreamCounts& counts)
{
    const CpuTime cpu = cpu_time();
    const Integrity& microphone = counts.microphone;
    return {{"event", "summary"},
            {"connections", counts.connections},
            {"connections_max", counts.open_max},
            {"connections_lost", counts.lost},
            {"appends", counts.appends},
            {"append_base64_bytes", counts.append_base64_bytes},
            {"deltas", counts.deltas},
            {"delta_base64_bytes", counts.delta_base64_bytes},
            {"replies", counts.replies},
            {"replies_cancelled", counts.replies_cancelled},
            {"truncations", counts.truncations},
            {"errors_sent", counts.errors_sent},
            {"microphone", json::object{{"lost", microphone.lost}, {"altered", microphone.altered}, {"reordered", microphone.reordered}}},
            {"cpu_user_s", cpu.user_s},
            {"cpu_system_s", cpu.system_s}};
}

void print(const json::object& line)
{
    std::puts(json::to_text(line).c_str());
    std::fflush(stdout);
}

int serve(const Options& options)
{
    prepare_process();
    EventLoop loop;
    const TerminationSignal termination(loop, [&loop] { loop.stop(); });
    TlsContext tls(nullptr, &SSL_CTX_free);
    if (!options.certificate.empty()) tls = tls_server_context(options.certificate, options.key);

    UpstreamCounts counts;
    UpstreamServer server(loop, options.address, options.port, tls.get(), options.config, counts);
    std::unique_ptr<UpstreamServer> plain;
    if (options.plain_port >= 0) plain = std::make_unique<UpstreamServer>(loop, options.address, options.plain_port, nullptr, options.config, counts);

    json::object ready{{"event", "ready"}, {"port", server.port()}, {"tls", tls != nullptr}, {"mode", options.mode}};
    if (plain) ready["plain_port"] = plain->port();
    print(ready);
    loop.run_until(std::numeric_limits<std::int64_t>::max());

    loop.restart();
    server.close_all();
    if (plain) plain->close_all();
    loop.run_until(now_ns() + close_limit_ns, [&] { return counts.open == 0; });
    print(summary(counts));
    return 0;
}

}  // namespace
}  // namespace repartee::bench

int main(int argc, char** argv)
{
    using namespace repartee::bench;
    CLI::App program("An echoing Realtime upstream for measurements. Ends on SIGINT or SIGTERM with a summary.", "repartee-bench-upstream");
    Options options;
    describe(program, options);
    CLI11_PARSE(program, argc, argv);
    options.config.mode = *upstream_mode(options.mode);
    try {
        return serve(options);
    } catch (const std::exception& failure) {
        std::fprintf(stderr, "repartee-bench-upstream: %s\n", failure.what());
        return 1;
    }
}
