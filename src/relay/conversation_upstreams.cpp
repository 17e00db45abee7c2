#include "conversation_relay.hpp"

#include "repartee/base/chance.hpp"
#include "repartee/base/log.hpp"
#include "repartee/net/deadline.hpp"
#include "repartee/upstream/breaker.hpp"

namespace repartee::relay {
namespace {

// A burst goes on in parts: what the client's socket would take must not count as waiting for a slow client.
constexpr int burst_events_max = 8;

}  // namespace

void ConversationRelay::take_upstream(upstream::Lease lease)
{
    session_.on_upstream_age(lease.age, now());
    upstream_ = std::move(lease.upstream);
    session_created_ = std::move(lease.session_created);
    source_index_ = lease.source;
}

void ConversationRelay::begin_session()
{
    session_.on_upstream_event(session_created_, now());
    std::string().swap(session_created_);  // not kept for the length of a conversation
}

awaitable<void> ConversationRelay::serve_upstreams()
{
    for (bool there = true; there && !stopping_;) {
        const Error end = co_await read_upstream(upstream_);
        if (stopping_) break;
        loops_.spawn(close_upstream(std::exchange(upstream_, nullptr)));
        if (ahead_) {
            session_.rotate(now());
            attempts_ = 0;  // whatever outage there was is over
            take_upstream(*std::exchange(ahead_, std::nullopt));
            rotation_.notify();
        } else {
            session_.on_upstream_lost(end, now());
            pump_client(now());
            there = session_.wants_upstream();
            if (there) there = co_await find_upstream(end);
        }
        if (there && !stopping_) begin_session();
        pump(now());
    }
    for_client_.notify();
}

awaitable<Error> ConversationRelay::read_upstream(std::shared_ptr<upstream::Upstream> upstream)
{
    bool late = false;
    std::optional<net::Deadline> start;
    start.emplace(executor_, session_limit_, [&] {
        late = true;
        upstream->cancel_receive();
    });
    pump(now());
    for (bool open = true; open && !stopping_;) {
        const Instant at = now();
        bool more = true;
        for (int taken = 0; taken < burst_events_max && more && session_.can_take_upstream(); ++taken) {
            const auto event = upstream->try_receive();
            if (event) session_.on_upstream_event(*event, at);
            more = event.has_value();
        }
        pump(at);
        if (start && session_.is_live()) {
            start.reset();
            live_since_ = at;
        }
        if (session_.wants_upstream()) co_return refusal();
        if (!more)
            open = co_await upstream->wait_event();
        else if (!session_.can_take_upstream())
            co_await room_.wait();
        if (ahead_ && ahead_wanted_) open = false;
    }
    if (late) co_return Error{Code::timeout, "The voice service did not accept the session within realtime.session_limit_ms."};
    if (ahead_wanted_) co_return Error{Code::cancelled, "Another session of the voice service takes over."};
    // Also when this is over: who closes waits for a reader that sees the close through.
    Result<void> end;
    while (end) {
        const auto event = co_await upstream->receive();
        if (!event) end = event.error();
    }
    co_return end.error();
}

Error ConversationRelay::refusal() const
{
    Error refusal = session_.refusal().value_or(Error{Code::upstream_rejected, "The voice service refused the session."});
    if (!upstream::is_fatal(refusal.upstream_code, 0)) refusal.code = Code::upstream_unavailable;
    return refusal;
}

awaitable<void> ConversationRelay::close_upstream(std::shared_ptr<upstream::Upstream> upstream) { co_await upstream->close(); }

awaitable<bool> ConversationRelay::find_upstream(Error cause)
{
    // One that held for a while was well: trying begins anew.
    if (live_since_ && now() - *live_since_ > recovery_.backoff_max) attempts_ = 0;
    if (attempts_ == 0) outage_began_ = now();
    const std::uint32_t present = 1U << source_index_;
    if (cause.code == Code::upstream_rejected) refused_ |= present;
    // Which died before it had begun is asked after those behind it; which refuses, no more.
    bool those_behind = !live_since_;
    next_request_.without = refused_ | (those_behind ? present | (present - 1) : 0);
    next_request_.recovers = true;
    next_request_.age_max = milliseconds::max();
    live_since_.reset();
    while (!stopping_ && attempts_ < recovery_.attempts_max && now() - outage_began_ < recovery_.limit) {
        if (attempts_ > 0) {
            const Instant retry_at = now() + backoff();
            co_await retry_.wait_until(retry_at);
            if (stopping_) co_return false;
        }
        ++attempts_;
        auto lease = co_await source_.lease(next_request_);
        if (stopping_) {
            if (lease) co_await lease->upstream->close();
            co_return false;
        }
        if (lease) {
            take_upstream(std::move(*lease));
            co_return true;
        }
        next_request_.without = refused_;
        if (std::exchange(those_behind, false)) {
            --attempts_;
            continue;
        }
        const bool hopeless = lease.error().code == Code::upstream_rejected;
        // That there is none left to ask says less than why the last one went.
        if (!hopeless || cause.code != Code::upstream_rejected) cause = lease.error();
        if (hopeless) break;
        session_.on_attempt_failed(cause, attempts_);
        pump_client(now());
    }
    co_await say_last_words();
    session_.fail(cause, cause.code == Code::upstream_rejected ? 1011 : 1013);
    co_return false;
}

milliseconds ConversationRelay::backoff()
{
    const milliseconds whole = std::min(recovery_.backoff_max, recovery_.backoff_min * (1 << std::min(attempts_ - 1, 16)));
    return std::chrono::duration_cast<milliseconds>(whole * (1 + chance()) / 2);
}

awaitable<void> ConversationRelay::say_last_words()
{
    if (last_words_.empty() || !speak_) co_return;
    auto speech = co_await speak_(last_words_);
    if (speech)
        session_.say(last_words_, *speech, now());
    else
        log::info("session.last_words_unsaid", {{"session", session_.id()}, {"message", speech.error().message}});
}

}  // namespace repartee::relay
