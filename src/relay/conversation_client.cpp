#include "conversation_relay.hpp"

#include "repartee/base/log.hpp"

namespace repartee::relay {

awaitable<void> ConversationRelay::serve_clients()
{
    for (bool there = true; there && !stopping_;) {
        co_await read_client(client_);
        if (stopping_) break;
        there = co_await client_comes_back();
    }
    stop();
}

awaitable<void> ConversationRelay::read_client(std::shared_ptr<net::WebSocket> client)
{
    for (bool open = true; open;) {
        const Instant at = now();
        // What has come together goes on together.
        while (const auto message = client->take()) {
            heard_client_ = true;
            metrics_.client_frames_in.add();
            metrics_.client_bytes_in.add(message->bytes.size());
            if (!message->binary) {
                if (!session_.can_take_client_event(message->text())) {
                    const bool fits = co_await room_for(*client, message->text());
                    if (!fits) {
                        open = false;
                        break;
                    }
                }
                session_.on_client_event(message->text(), at);
            } else if (const auto rest = take_audio(message->bytes, at); !rest.empty()) {
                const bool taken = co_await take_rest(*client, rest);
                if (!taken) co_return;
            }
        }
        pump(at);
        while (open && !client->receive()) {
            // Back on another connection: what it said on this one has come before.
            if (returned_) co_return;
            const bool readable = co_await client->wait_readable();
            open = readable || returned_;
        }
    }
    if (stopping_ || returned_) co_return;
    const auto said_farewell = [&] { return client->close_code() == 1000 || client->close_code() == 1005; };
    // Before its connection is down: then it may knock at another worker.
    if (said_farewell() && waiting_) waiting_->withdraw();
    const auto end = co_await client->read();
    if (!end) note_client_end(end.error());
    const bool broke_the_rules = !end && (end.error().code == Code::protocol || end.error().code == Code::too_large);
    client_is_done_ = said_farewell() || broke_the_rules;
}

std::span<const std::byte> ConversationRelay::take_audio(std::span<const std::byte> pcm, Instant at)
{
    while (!pcm.empty() && session_.can_take_client_audio()) {
        const auto piece = pcm.first(std::min(pcm.size(), session_.client_piece_bytes()));
        session_.on_client_audio(piece, at);
        pcm = pcm.subspan(piece.size());
    }
    return pcm;
}

awaitable<bool> ConversationRelay::room_for(const net::WebSocket& client, std::string_view event)
{
    pump(now());
    const auto is_there = [&] { return !stopping_ && !returned_ && client_here_ && client.is_open(); };
    while (is_there() && !session_.can_take_client_event(event)) co_await uplink_room_.wait();
    co_return is_there();
}

awaitable<bool> ConversationRelay::take_rest(const net::WebSocket& client, std::span<const std::byte> pcm)
{
    while (!stopping_ && !returned_ && client_here_ && !pcm.empty()) {
        pump(now());
        if (!session_.can_take_client_audio()) co_await uplink_room_.wait();
        if (!client.is_open()) break;  // then the bytes are no longer ours
        pcm = take_audio(pcm, now());
    }
    co_return pcm.empty() || !returned_;
}

awaitable<bool> ConversationRelay::client_comes_back()
{
    const bool may_wait = waiting_ && !client_is_done_ && !session_.ending() && !draining_;
    if (!returned_ && !may_wait) co_return false;
    client_here_ = false;
    session_.on_client_lost(now());
    if (!returned_) {
        log::info("session.client_lost", {{"session", session_.id()}});
        waiting_->client_lost(heard_client_);
        while (!stopping_ && !returned_) co_await client_change_.wait();
    }
    if (stopping_ || !returned_) co_return false;
    loops_.spawn(close_old(std::exchange(client_, std::make_shared<net::WebSocket>(std::move(returned_->client)))));
    const auto position = std::exchange(returned_, std::nullopt)->position;
    session_.offer_resume(waiting_->issue_token(), waiting_->window());
    session_.on_client_back(position, now());
    metrics_.resumes_total.add();
    log::info("session.client_back", {{"session", session_.id()}, {"peer", client_->remote_address()}});
    client_sent_ = {};
    client_here_ = true;
    heard_client_ = false;
    pump(now());
    for_client_.notify();
    co_return true;
}

awaitable<void> ConversationRelay::close_old(std::shared_ptr<net::WebSocket> client)
{
    // What it has not taken would only hold up the new one.
    if (client->unsent_bytes() > 0)
        client->abort();
    else
        co_await client->close(4001, "resumed_elsewhere");
}

void ConversationRelay::expect_return()
{
    if (!waiting_) return;
    session_.offer_resume(waiting_->issue_token(), waiting_->window());
    waiting_->on_return = [this](Return back) {
        returned_ = std::move(back);
        client_->cancel_read();
        uplink_room_.notify();
        client_change_.notify();
    };
    waiting_->on_given_up = [this](Waiting::GivenUp why) {
        log::info("session.given_up", {{"session", session_.id()}, {"reason", why == Waiting::GivenUp::window_over ? "window_over" : "place_wanted"}});
        stop();
    };
}

}  // namespace repartee::relay
