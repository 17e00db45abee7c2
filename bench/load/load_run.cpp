#include "load_run.hpp"

#include "repartee/base/json.hpp"

#include <algorithm>
#include <cstdio>

namespace repartee::bench {
namespace {

constexpr std::int64_t close_limit_ns = 2 * ns_per_s;
constexpr std::int64_t before_ticking_ns = 5 * ns_per_ms;
// Who watches the relay reads its figures when the window is announced to be over: no session may end meanwhile.
constexpr std::int64_t after_window_ns = 100 * ns_per_ms;
constexpr std::int64_t held_speech_ns = ns_per_s;

std::int64_t ns_of(double seconds) { return static_cast<std::int64_t>(seconds * static_cast<double>(ns_per_s)); }

void tell(const json::object& line)
{
    std::fprintf(stderr, "%s\n", json::to_text(line).c_str());
    std::fflush(stderr);
}

}  // namespace

LoadRun::LoadRun(const LoadConfig& config)
    : config_(config),
      termination_(loop_,
                   [this] {
                       interrupted_ = true;
                       loop_.stop();
                   }),
      server_(find_server(config.url)),
      tick_timer_(loop_, [this] { tick(); }),
      progress_timer_(loop_, [this] { report_progress(); })
{
    if (config.url.tls) tls_ = tls_client_context(config.ca_file);
    if (config.progress) progress_timer_.arm(now_ns() + ns_per_s);
}

LoadRun::~LoadRun() = default;

// ── opening and closing ──────────────────────────────────────────────────────────────────────────────────────────────────────

ClientSession& LoadRun::add_session()
{
    sessions_.push_back(std::make_unique<ClientSession>(loop_, config_, server_, tls_.get(), ++ids_, stats_));
    return *sessions_.back();
}

std::string LoadRun::wait_for_opening(std::deque<ClientSession*>& opening, std::size_t left)
{
    const std::int64_t limit_ns = config_.connect_limit_ms * ns_per_ms;
    while (opening.size() > left) {
        ClientSession& oldest = *opening.front();
        loop_.run_until(oldest.begun_ns() + limit_ns, [&] { return oldest.is_live() || oldest.has_ended(); });
        if (interrupted_) return "interrupted";
        if (!oldest.is_live() && !oldest.has_ended()) oldest.give_up("it was not live within " + std::to_string(config_.connect_limit_ms) + " ms");
        if (oldest.has_ended())
            return "session " + std::to_string(sessions_.size() - opening.size() + 1) + " could not be opened: " + oldest.failure();
        opening.pop_front();
    }
    return {};
}

std::string LoadRun::open(int sessions)
{
    std::deque<ClientSession*> opening;
    while (static_cast<int>(sessions_.size()) < sessions) {
        opening.push_back(&add_session());
        if (auto failure = wait_for_opening(opening, static_cast<std::size_t>(config_.connects_at_once) - 1); !failure.empty()) return failure;
    }
    return wait_for_opening(opening, 0);
}

void LoadRun::close_all()
{
    if (!interrupted_) loop_.restart();
    for (const auto& session : sessions_)
        if (!session->has_ended()) session->close();
    loop_.run_until(now_ns() + close_limit_ns,
                    [&] { return std::ranges::all_of(sessions_, [](const auto& session) { return session->has_ended(); }); });
    sessions_.clear();
}

std::string LoadRun::connect_one_by_one()
{
    for (int i = 0; i < config_.sessions; ++i) {
        if (i > 0 && config_.connect_interval_ms > 0) run_until(now_ns() + config_.connect_interval_ms * ns_per_ms);
        if (auto failure = open(1); !failure.empty()) return failure;
        close_all();
    }
    return interrupted_ ? "interrupted" : "";
}

// ── the schedule ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

void LoadRun::start_ticking(std::int64_t at_ns, std::int64_t until_ns)
{
    ticking_since_ns_ = at_ns;
    ticking_until_ns_ = until_ns;
    ticks_ = 0;
    tick_timer_.arm(at_ns);
}

/// Sessions take turns, evenly spread over the frame's length. Each instant is counted from the beginning: being late once shifts nothing.
void LoadRun::tick()
{
    const auto sessions = static_cast<std::uint64_t>(sessions_.size());
    const auto frame_ns = static_cast<std::uint64_t>(config_.frame_ms * ns_per_ms);
    for (;;) {
        const std::uint64_t after_ns = ticks_ / sessions * frame_ns + ticks_ % sessions * frame_ns / sessions;
        const std::int64_t due_ns = ticking_since_ns_ + static_cast<std::int64_t>(after_ns);
        if (due_ns >= ticking_until_ns_) return;
        if (due_ns > now_ns()) return tick_timer_.arm(due_ns);
        ClientSession& session = *sessions_[ticks_ % sessions];
        if (session.is_live()) session.work().tick(due_ns);
        ++ticks_;
    }
}

void LoadRun::drain()
{
    tick();  // what was due and is late still goes: left out, it would be the slowest frames that nobody counts
    tick_timer_.disarm();
    for (const auto& session : sessions_) session->work().pause();
    run_until(now_ns() + after_window_ns);
    loop_.run_until(now_ns() + config_.drain_limit_ms * ns_per_ms, [&] {
        return std::ranges::all_of(sessions_, [](const auto& session) { return session->has_ended() || session->work().settled(); });
    });
    for (const auto& session : sessions_) session->work().finish();
}

// ── windows ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────

void LoadRun::announce(const char* event, std::int64_t at_ns) const
{
    if (interrupted_) return;  // there is no such window
    tell({{"event", event}, {"at_ns", at_ns}, {"sessions", sessions_.size()}});
}

void LoadRun::begin_window()
{
    window_cpu_ = cpu_time();
    stats_.window_begin_ns = now_ns();
    announce("window_begin", stats_.window_begin_ns);
}

WindowResult LoadRun::end_window()
{
    WindowResult result;
    stats_.window_end_ns = now_ns();
    const CpuTime cpu = cpu_time();
    announce("window_end", stats_.window_end_ns);
    result.sessions = static_cast<int>(sessions_.size());
    result.begin_ns = stats_.window_begin_ns;
    result.end_ns = stats_.window_end_ns;
    result.generator = {cpu.user_s - window_cpu_.user_s, cpu.system_s - window_cpu_.system_s};
    return result;
}

WindowResult LoadRun::measure()
{
    const LoadStats before = std::exchange(stats_, {});
    stats_.integrity = before.integrity;
    stats_.errors = before.errors;
    stats_.sessions_lost = before.sessions_lost;
    stats_.error_events = before.error_events;
    stats_.connect_tcp = before.connect_tcp;
    stats_.connect_tls = before.connect_tls;
    stats_.connect_upgrade = before.connect_upgrade;
    stats_.connect_created = before.connect_created;
    stats_.connect_live = before.connect_live;

    const std::int64_t start_ns = now_ns() + before_ticking_ns;
    const std::int64_t begin_ns = start_ns + ns_of(config_.warmup_s), end_ns = begin_ns + ns_of(config_.seconds);
    start_ticking(start_ns, end_ns);
    run_until(begin_ns);
    begin_window();
    run_until(end_ns);
    WindowResult result = end_window();
    drain();
    result.stats = stats_;
    return result;
}

WindowResult LoadRun::hold()
{
    const std::int64_t start_ns = now_ns() + before_ticking_ns;
    start_ticking(start_ns, start_ns + held_speech_ns);
    run_until(start_ns + held_speech_ns);
    drain();
    begin_window();
    run_until(now_ns() + ns_of(config_.seconds));
    WindowResult result = end_window();
    result.stats = stats_;
    return result;
}

void LoadRun::report_progress()
{
    const Histogram& latency = stats_.recent_latency;
    const bool inside = stats_.in_window(now_ns());
    const auto live = std::ranges::count_if(sessions_, [](const auto& session) { return session->is_live(); });
    tell({{"event", "progress"},
          {"in_window", inside},
          {"sessions", live},
          {"frames_per_s", stats_.recent_frames},
          {"p50_us", latency.quantile_ns(0.5) / ns_per_us},
          {"p99_us", latency.quantile_ns(0.99) / ns_per_us},
          {"sent_total", stats_.frames_sent_total}});
    stats_.recent_latency = {};
    stats_.recent_frames = 0;
    progress_timer_.arm(now_ns() + ns_per_s);
}

}  // namespace repartee::bench
