#include "repartee/upstream/pool.hpp"

#include "repartee/base/chance.hpp"
#include "repartee/base/log.hpp"
#include "repartee/net/deadline.hpp"
#include "repartee/realtime/event_type.hpp"

#include <algorithm>

namespace repartee::upstream {
namespace {

Instant now() { return std::chrono::steady_clock::now(); }

// A conversation that begins shall not share its first milliseconds with the opening of the next one's connection.
constexpr milliseconds refill_pause{20};

/// Whether a session that nobody looked at for a moment is still one: an end that has arrived may lie unread.
bool is_alive(WebSocketUpstream& upstream)
{
    while (const auto event = upstream.try_receive())
        if (realtime::peek_type(*event) == "error") return false;
    return upstream.is_open();
}

std::string model_query(const std::string& model) { return "model=" + net::percent_encode(model); }

}  // namespace

Pool::Pool(asio::any_io_executor executor, Endpoint endpoint, PoolSettings settings, std::shared_ptr<const net::TlsContext> tls, Metrics& metrics)
    : executor_(executor),
      endpoint_(std::move(endpoint)),
      settings_(std::move(settings)),
      tls_(std::move(tls)),
      metrics_(metrics),
      breaker_(settings_.breaker),
      changed_(executor),
      tasks_(executor, "upstream.pool")
{
}

Pool::~Pool() = default;

void Pool::start()
{
    if (settings_.warm_connections > 0) tasks_.spawn(refill());
}

bool Pool::is_ready() const { return !breaker_.refusal(now()); }

Task<Opened> Pool::open(std::string query)
{
    const Instant began = now();
    auto opened = co_await open_upstream(endpoint_, std::move(query), tls_.get(), metrics_);
    if (opened) {
        breaker_.on_success();
        co_return std::move(opened);
    }
    const Error& error = opened.error();
    metrics_.count_error(error.code);
    log::warn("upstream.connect_failed", {{"peer", endpoint_.url.host}, {"code", name(error.code)}, {"message", error.message}});
    breaker_.on_failure(error, began, now(), chance());
    co_return std::move(opened);
}

awaitable<void> Pool::refill()
{
    while (!stopping_) {
        const int missing = settings_.warm_connections - static_cast<int>(warm_.size()) - opening_;
        if (missing <= 0) {
            co_await changed_.wait();
            continue;
        }
        if (now() < breaker_.next_attempt()) {
            co_await changed_.wait_until(breaker_.next_attempt());
            continue;
        }
        if (now() < refill_at_) {
            co_await changed_.wait_until(refill_at_);
            continue;
        }
        ++opening_;
        tasks_.spawn(open_ahead());
    }
}

awaitable<void> Pool::open_ahead()
{
    auto opened = co_await open(model_query(settings_.model));
    --opening_;
    if (opened && !stopping_) {
        auto warm = std::make_shared<Warm>(executor_);
        warm->opened = std::move(*opened);
        warm->opened_at = now();
        warm_.push_back(warm);
        metrics_.upstream_warm.add(1);
        tasks_.spawn(keep(warm));
    } else if (opened) {
        co_await opened->upstream->close();
    }
    changed_.notify();
}

// Reads while nobody uses the connection: answers pings, notices its end, replaces it when it is old.
awaitable<void> Pool::keep(std::shared_ptr<Warm> warm)
{
    bool too_old = false;
    {
        const net::Deadline age(executor_, settings_.warm_age, [&] {
            too_old = true;
            warm->opened.upstream->cancel_receive();
        });
        bool idle = true;
        while (idle) {
            const auto event = co_await warm->opened.upstream->receive();
            idle = event.has_value() && !warm->leased;
            if (event && realtime::peek_type(*event) == "error") idle = false;
        }
    }
    if (warm->leased) {
        warm->released.notify();
        co_return;
    }
    // One that ends young will end so again: not one after the other without a pause.
    if (!too_old) refill_at_ = std::max(refill_at_, now() + settings_.breaker.backoff_min);
    drop(warm);
    log::debug("upstream.warm_dropped", {{"peer", endpoint_.url.host}, {"reason", too_old ? "age" : "closed"}});
    co_await warm->opened.upstream->close();
}

void Pool::drop(const std::shared_ptr<Warm>& warm)
{
    if (warm_.remove(warm) > 0) metrics_.upstream_warm.add(-1);
    changed_.notify();
}

Task<Lease> Pool::lease(LeaseRequest request)
{
    const bool configured = !request.transcription && (request.model.empty() || request.model == settings_.model);
    while (configured && !warm_.empty()) {
        const std::shared_ptr<Warm> warm = warm_.front();
        // Counted from the first of several: a stream of new conversations does not put it off for ever.
        if (now() >= refill_at_) refill_at_ = now() + refill_pause;
        drop(warm);
        warm->leased = true;
        warm->opened.upstream->cancel_receive();
        co_await warm->released.wait();
        const milliseconds age = std::chrono::duration_cast<milliseconds>(now() - warm->opened_at);
        if (age >= std::min(settings_.warm_age, request.age_max) || !is_alive(*warm->opened.upstream)) continue;
        metrics_.upstream_lease_warm.add();
        Lease lease;
        lease.upstream = std::move(warm->opened.upstream);
        lease.session_created = std::move(warm->opened.session_created);
        lease.warm = true;
        lease.age = age;
        co_return std::move(lease);
    }
    const auto refusal = breaker_.refusal(now());
    if (refusal && !(request.recovers && breaker_.take_probe(now()))) co_return *refusal;
    metrics_.upstream_lease_cold.add();
    std::string query = "intent=transcription";
    if (!request.transcription) query = model_query(configured ? settings_.model : request.model);
    Result<Opened> opened = Error{};
    if (configured)
        opened = co_await open(std::move(query));
    else  // what one client asks for must not close the door for all others: the breaker is not told
        opened = co_await open_upstream(endpoint_, std::move(query), tls_.get(), metrics_);
    if (!opened) co_return opened.error();
    Lease lease;
    lease.upstream = std::move(opened->upstream);
    lease.session_created = std::move(opened->session_created);
    co_return std::move(lease);
}

awaitable<void> Pool::stop()
{
    stopping_ = true;
    changed_.notify();
    for (const auto& warm : warm_) warm->opened.upstream->cancel_receive();
    co_await tasks_.wait_all();
}

}  // namespace repartee::upstream
