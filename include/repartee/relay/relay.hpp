#pragma once
#include "repartee/base/metrics.hpp"
#include "repartee/conversation/persona_overlay.hpp"
#include "repartee/conversation/session.hpp"
#include "repartee/net/websocket.hpp"
#include "repartee/upstream/upstream.hpp"

#include <functional>
#include <list>

/// Where conversations meet sockets: two sockets (or one and the local engine), four loops, one owner.
namespace repartee::relay {

/// The running relays of one worker thread, so that a shutdown can reach them.
class Registry {
public:
    class Entry {
    public:
        Entry(Registry& registry, std::function<void()> on_drain) : registry_(registry)
        {
            place_ = registry_.drains_.insert(registry_.drains_.end(), std::move(on_drain));
            if (registry_.draining_) (*place_)();  // it came while the server was already going
        }
        ~Entry() { registry_.drains_.erase(place_); }
        Entry(const Entry&) = delete;
        Entry& operator=(const Entry&) = delete;

    private:
        Registry& registry_;
        std::list<std::function<void()>>::iterator place_;
    };

    /// Asks every running relay to end when its reply is over.
    void drain()
    {
        draining_ = true;
        for (const auto& drain : drains_) drain();
    }
    std::size_t size() const { return drains_.size(); }

private:
    std::list<std::function<void()>> drains_;
    bool draining_ = false;
};

/// Runs one conversation of `/ws/conversations/{id}` until either side ends it. `session_limit`: time for the upstream to accept the session.
awaitable<void> run_conversation(net::WebSocket client, upstream::Lease lease, conversation::SessionSettings settings,
                                 std::chrono::milliseconds session_limit, Registry& registry, Metrics& metrics);

/// Runs one session of `/v1/realtime`: events pass both ways, with the character's persona put in when there is an overlay.
awaitable<void> run_realtime(net::WebSocket client, upstream::Lease lease, std::optional<conversation::PersonaOverlay> overlay,
                             std::chrono::milliseconds session_limit, Registry& registry, Metrics& metrics);

/// Tells a client that has just connected why there is no session, and closes.
awaitable<void> refuse(net::WebSocket client, Error error, std::uint16_t close_code);

}  // namespace repartee::relay
