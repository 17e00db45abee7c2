#pragma once
#include "repartee/conversation/session.hpp"
#include "repartee/net/signal.hpp"
#include "repartee/net/task_group.hpp"
#include "repartee/relay/relay.hpp"


namespace repartee::relay {

/// The loops of one conversation: one client and one upstream after another, between them the session. Lives in run_conversation's frame, which waits
/// for all of them. One thread.
class ConversationRelay {
public:
    ConversationRelay(asio::any_io_executor executor, net::WebSocket client, ConversationPlan&& plan, Metrics& metrics);
    awaitable<void> run();
    void drain();

private:
    static Instant now() { return std::chrono::steady_clock::now(); }

    // The readers also send what their side's arrival has brought about, in the same breath: no queue, no switch to another coroutine. The writers
    // have the rest: what a full socket left behind, and what the pacer lets go later.

    // conversation_client.cpp: one connection after another
    awaitable<void> serve_clients();
    awaitable<void> read_client(std::shared_ptr<net::WebSocket> client);
    /// In pieces, while there is room. Returns what it had no room for: a client may send a whole file in one frame.
    std::span<const std::byte> take_audio(std::span<const std::byte> pcm, Instant at);
    /// Waits until the event fits. The client is held back by TCP meanwhile. False: it is gone, or back on another connection.
    awaitable<bool> room_for(const net::WebSocket& client, std::string_view event);
    /// The client is held back by TCP meanwhile. False: it is back on another connection before there was room for all.
    awaitable<bool> take_rest(const net::WebSocket& client, std::span<const std::byte> pcm);
    /// False: it does not.
    awaitable<bool> client_comes_back();
    awaitable<void> close_old(std::shared_ptr<net::WebSocket> client);
    void expect_return();

    // conversation_upstreams.cpp: one after another
    void take_upstream(upstream::Lease lease);
    void begin_session();
    awaitable<void> serve_upstreams();
    /// Until it ends, or another one takes its place. Returns why it ended.
    awaitable<Error> read_upstream(std::shared_ptr<upstream::Upstream> upstream);
    Error refusal() const;
    awaitable<void> close_upstream(std::shared_ptr<upstream::Upstream> upstream);
    /// False: there is none to be had; the conversation has been told.
    awaitable<bool> find_upstream(Error cause);
    /// Doubles, and differs: conversations that lost the same service do not come back in step.
    milliseconds backoff();
    awaitable<void> say_last_words();

    // conversation_rotation.cpp
    /// Has the next upstream ready when the present one is old, and puts it in its place when nobody speaks.
    awaitable<void> rotate();
    /// What the old one was sent last it may still answer: so it is sent nothing for a while, and when it has heard nobody in that, the moment is quiet.
    /// False: none came while the next one, which nobody reads, could wait; or `old` is not the upstream any more.
    awaitable<bool> quiet_moment(std::shared_ptr<upstream::Upstream> old);

    // conversation_relay.cpp: what leaves
    void pump(Instant at);
    /// False: the upstream takes nothing any more; serve_upstreams learns why.
    bool pump_upstream(Instant at);
    /// Also notes when there is more to send, in client_next_.
    void pump_client(Instant at);
    awaitable<void> write_upstream();
    awaitable<void> write_client();
    /// It has come back while the other one was being closed.
    awaitable<void> end_late(std::shared_ptr<net::WebSocket> client);
    awaitable<void> wait_for_more();
    void note_client_end(const Error& error);
    void stop();

    asio::any_io_executor executor_;
    std::shared_ptr<net::WebSocket> client_;
    std::shared_ptr<upstream::Upstream> upstream_;  ///< null: between two
    std::string session_created_;
    Metrics& metrics_;
    upstream::Source& source_;
    upstream::LeaseRequest next_request_;
    milliseconds session_limit_;
    RecoveryPlan recovery_;
    std::string last_words_;
    Speak speak_;
    conversation::Session session_;
    bool stopping_ = false, draining_ = false;
    bool client_here_ = true, client_is_done_ = false, heard_client_ = false;
    std::optional<Return> returned_;
    std::optional<upstream::Lease> ahead_;   ///< leased to take the place of the present one
    bool ahead_wanted_ = false;              ///< now
    std::size_t source_index_ = 0;
    std::uint32_t refused_ = 0;              ///< the services that ended a session for good, as in LeaseRequest::without
    int attempts_ = 0;
    Instant outage_began_{};
    std::optional<Instant> live_since_;
    Result<void> client_sent_;               ///< how the last send to the client ended
    std::optional<Instant> client_next_;     ///< when the pacer lets go of more
    Instant writer_wakes_at_ = Instant::max();
    net::Signal for_upstream_, for_client_, room_, uplink_room_, client_change_, retry_, rotation_, over_;
    net::TaskGroup loops_;
    std::unique_ptr<Waiting> waiting_;       ///< its calls come from the event loop: gone before all the rest
};

}  // namespace repartee::relay
