#include "exchange_guard.hpp"

#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <utility>

namespace repartee::net {
namespace {

using Clock = std::chrono::steady_clock;

}  // namespace

struct ExchangeGuard::State : std::enable_shared_from_this<ExchangeGuard::State> {
    asio::steady_timer timer;
    const std::string peer;
    const HttpTimes times;
    const std::stop_token stop;
    const Instant whole_deadline;
    Instant connect_deadline = Instant::max();
    ByteStream* stream = nullptr;
    Stage stage = Stage::none;
    Instant stage_deadline = Instant::max();
    Instant armed_for = Instant::max();
    unsigned arming = 0;
    bool whole_expired = false;
    Stage expired = Stage::none;  ///< the one that took too long

    State(asio::any_io_executor executor, std::string named, const HttpTimes& limits, std::stop_token token)
        : timer(std::move(executor)),
          peer(std::move(named)),
          times(limits),
          stop(std::move(token)),
          whole_deadline(times.total > milliseconds(0) ? Clock::now() + times.total : Instant::max())
    {
    }

    milliseconds limit_of(Stage which) const
    {
        switch (which) {
        case Stage::send: return times.send_idle;
        case Stage::first_byte: return times.first_byte;
        case Stage::idle: return times.idle;
        default: return times.connect;
        }
    }

    Instant deadline() const { return std::min(stage_deadline, whole_deadline); }

    void arm()
    {
        if (!stream || armed_for <= deadline()) return;
        armed_for = deadline();
        timer.expires_at(armed_for);
        timer.async_wait([weak = weak_from_this(), mine = ++arming](boost::system::error_code) {
            if (const auto self = weak.lock()) self->on_timer(mine);
        });
    }

    void on_timer(unsigned which)
    {
        if (which != arming) return;
        armed_for = Instant::max();
        if (!stream) return;
        const Instant now = Clock::now();
        if (now < deadline()) return arm();
        whole_expired = now >= whole_deadline;
        if (!whole_expired) expired = stage;
        stream->close();
    }

    void disarm()
    {
        ++arming;
        armed_for = Instant::max();
        timer.cancel();
    }

    std::string overdue() const
    {
        if (whole_expired) return fmt::format("{} was not done within {} ms. Check the service, or raise limit_ms.", peer, times.total.count());
        const auto limit = limit_of(expired).count();
        switch (expired) {
        case Stage::send:
            return fmt::format("{} took nothing of the request for {} ms. Check the network and the service.", peer, limit);
        case Stage::first_byte:
            return fmt::format("{} did not begin to answer within {} ms. Check the service, or raise first_byte_limit_ms.", peer, limit);
        case Stage::idle:
            return fmt::format("{} sent nothing for {} ms in the middle of its answer. Check the service, or raise idle_limit_ms.", peer, limit);
        default: return fmt::format("Could not reach {} within {} ms. Check the address and the network, or raise connect_limit_ms.", peer, limit);
        }
    }

    /// Last, so that it goes first: what it calls uses the rest.
    std::optional<std::stop_callback<std::function<void()>>> on_stop{};
};

ExchangeGuard::ExchangeGuard(asio::any_io_executor executor, std::string peer, const HttpTimes& times, std::stop_token stop)
    : state_(std::make_shared<State>(std::move(executor), std::move(peer), times, std::move(stop)))
{
}

ExchangeGuard::~ExchangeGuard() { release(); }

void ExchangeGuard::watch(ByteStream& stream)
{
    state_->stream = &stream;
    state_->arm();
    state_->on_stop.emplace(state_->stop, [state = state_.get()] { state->stream->close(); });
}

void ExchangeGuard::release()
{
    state_->on_stop.reset();
    state_->stream = nullptr;
    state_->disarm();
}

void ExchangeGuard::begin(Stage stage)
{
    state_->stage = stage;
    state_->stage_deadline = stage == Stage::none ? Instant::max() : Clock::now() + state_->limit_of(stage);
    if (stage == Stage::connect) state_->connect_deadline = state_->stage_deadline;
    state_->arm();
}

milliseconds ExchangeGuard::connect_left() const
{
    const Instant end = std::min(state_->connect_deadline, state_->whole_deadline);
    return std::max(milliseconds(0), std::chrono::ceil<milliseconds>(end - Clock::now()));
}

const std::stop_token& ExchangeGuard::stop() const { return state_->stop; }

std::optional<Error> ExchangeGuard::verdict() const
{
    if (state_->stop.stop_requested()) return Error{Code::cancelled, "The request was stopped by its owner."};
    if (state_->whole_expired || state_->expired != Stage::none) return Error{Code::timeout, state_->overdue()};
    return std::nullopt;
}

}  // namespace repartee::net
