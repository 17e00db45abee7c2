#pragma once
#include "client_session.hpp"
#include "event_loop.hpp"
#include "load_config.hpp"
#include "load_stats.hpp"
#include "process.hpp"

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace repartee::bench {

/// One measuring window.
struct WindowResult {
    int sessions = 0;
    std::int64_t begin_ns = 0, end_ns = 0;
    CpuTime generator;
    LoadStats stats;

    double seconds() const { return static_cast<double>(end_ns - begin_ns) / static_cast<double>(ns_per_s); }
};

/// Opens sessions, lets them work, closes them. Tells standard error when a window begins and ends, at that moment.
class LoadRun {
public:
    explicit LoadRun(const LoadConfig& config);
    ~LoadRun();

    /// More sessions until there are `sessions`, not too many at once. Empty: they are all live; else why not.
    std::string open(int sessions);
    /// Everyone works for the warm-up and the window; then waits until everything has been answered.
    WindowResult measure();
    /// Everyone speaks for a second; the window is the silence after it.
    WindowResult hold();
    /// One session after another, opened and closed. Empty, or why it failed.
    std::string connect_one_by_one();
    void close_all();

    const LoadStats& stats() const { return stats_; }
    /// SIGINT or SIGTERM came.
    bool interrupted() const { return interrupted_; }

private:
    void start_ticking(std::int64_t at_ns, std::int64_t until_ns);
    void tick();
    void drain();
    void begin_window();
    WindowResult end_window();
    void run_until(std::int64_t at_ns) { loop_.run_until(at_ns); }
    void report_progress();
    ClientSession& add_session();
    std::string wait_for_opening(std::deque<ClientSession*>& opening, std::size_t left);
    void announce(const char* event, std::int64_t at_ns) const;

    const LoadConfig& config_;
    EventLoop loop_;
    TerminationSignal termination_;
    bool interrupted_ = false;
    TlsContext tls_{nullptr, &SSL_CTX_free};
    ServerAddress server_;
    LoadStats stats_;
    std::vector<std::unique_ptr<ClientSession>> sessions_;
    std::uint32_t ids_ = 0;

    Timer tick_timer_, progress_timer_;
    std::int64_t ticking_since_ns_ = 0, ticking_until_ns_ = 0;
    std::uint64_t ticks_ = 0;
    CpuTime window_cpu_;
};

}  // namespace repartee::bench
