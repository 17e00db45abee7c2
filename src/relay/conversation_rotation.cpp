#include "conversation_relay.hpp"

#include "repartee/base/log.hpp"

namespace repartee::relay {
namespace {

constexpr milliseconds quiet_poll{20};
constexpr milliseconds answer_grace{200};
constexpr milliseconds rotation_retry{5'000};
constexpr milliseconds ahead_waits_max{10'000};

}  // namespace

awaitable<void> ConversationRelay::rotate()
{
    while (!stopping_) {
        const Instant due = *session_.rotate_at();
        if (now() < due) {
            co_await rotation_.wait_until(due);
            continue;
        }
        if (!session_.may_rotate(now())) {
            co_await rotation_.wait_until(now() + quiet_poll);
            continue;
        }
        // Those behind it in the order may be worse, and there is time to ask again.
        const std::uint32_t behind = ~((2U << source_index_) - 1);
        next_request_.without = refused_ | (session_.must_rotate(now()) ? 0 : behind);
        next_request_.recovers = false;
        // Else it would soon be as old as this one.
        next_request_.age_max = session_.rotate_age() / 2;
        auto lease = co_await source_.lease(next_request_);
        if (!lease) {
            log::warn("session.rotation_put_off", {{"session", session_.id()}, {"message", lease.error().message}});
            co_await rotation_.wait_until(now() + rotation_retry);
            continue;
        }
        const std::shared_ptr<upstream::Upstream> old = upstream_;
        ahead_ = std::move(*lease);
        const bool quiet = co_await quiet_moment(old);
        if (stopping_) co_return;
        if (!quiet) {
            // Or the present one was lost meanwhile, and replaced.
            if (ahead_) loops_.spawn(close_upstream(std::move(std::exchange(ahead_, std::nullopt)->upstream)));
            co_await rotation_.wait_until(now() + quiet_poll);
            continue;
        }
        ahead_wanted_ = true;
        upstream_->cancel_receive();
        room_.notify();  // or it waits for the client to take more
        while (!stopping_ && upstream_ == old) co_await rotation_.wait();
        ahead_wanted_ = false;
    }
}

awaitable<bool> ConversationRelay::quiet_moment(std::shared_ptr<upstream::Upstream> old)
{
    const Instant give_up = now() + ahead_waits_max;
    const auto goes_on = [&] { return !stopping_ && old && upstream_ == old && now() < give_up; };
    bool quiet = false;
    while (goes_on() && !quiet) {
        while (goes_on() && !session_.may_rotate(now())) co_await rotation_.wait_until(now() + quiet_poll);
        if (!goes_on()) co_return false;
        session_.hold_upstream(true);
        const Instant until = now() + answer_grace;
        while (goes_on() && now() < until) co_await rotation_.wait_until(until);
        quiet = goes_on() && session_.may_rotate(now());
        if (!quiet && !stopping_ && upstream_ == old) {
            session_.hold_upstream(false);
            pump(now());
        }
    }
    co_return quiet;
}

}  // namespace repartee::relay
