#include "repartee/relay/directory.hpp"

#include "repartee/base/ids.hpp"
#include "repartee/base/log.hpp"
#include "repartee/relay/relay.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <openssl/sha.h>

#include <algorithm>
#include <utility>

namespace repartee::relay {
namespace {

using Hash = std::array<std::uint8_t, SHA256_DIGEST_LENGTH>;

constexpr std::uint16_t close_for_good = 1011;

/// While a client is on its way, its answer being written, the window stays open a little longer.
constexpr milliseconds claimed_poll{100};

Hash hash_of(std::string_view token)
{
    Hash hash;
    ::SHA256(reinterpret_cast<const unsigned char*>(token.data()), token.size(), hash.data());
    return hash;
}

Error refused(const char* why)
{
    return Error{Code::resume_refused, std::string(why) + " Begin a new conversation: connect without ?resume=.", "resume"};
}

}  // namespace

struct Waiting::Entry {
    // Never changed.
    Directory& directory;
    const asio::any_io_executor executor;
    WaitingSettings settings;

    // On the conversation's executor.
    Waiting* owner = nullptr;  ///< null: the conversation is over

    // Under the directory's mutex.
    std::shared_ptr<void> slot;
    std::optional<Hash> token, spare_token;  ///< in force; the spare one was used, but its client may never have learnt of the newer
    std::optional<Hash> used_token;          ///< of the connection that the conversation has now
    std::optional<Hash> claimed_token;       ///< given in, its client is on the way
    bool arriving = false;                   ///< handed over; the conversation does not know yet
    bool waiting = false;
    bool over = false;

    Entry(Directory& d, asio::any_io_executor e, WaitingSettings s)
        : directory(d), executor(std::move(e)), settings(std::move(s)), slot(std::move(settings.slot))
    {
    }

    static void give_up(const std::shared_ptr<Entry>& entry, GivenUp why)
    {
        asio::post(entry->executor, [entry, why] {
            Waiting* const its_owner = std::exchange(entry->owner, nullptr);
            if (!its_owner) return;
            its_owner->window_over_.reset();
            const auto call = its_owner->on_given_up;  // a copy: it may destroy the owner
            if (call) call(why);
        });
    }

    static void deliver(const std::shared_ptr<Entry>& entry, net::PartedWebSocket parted, conversation::Downlink::ClientPosition position)
    {
        net::WebSocket client = net::WebSocket::join(entry->executor, std::move(parted));
        Waiting* const owner = entry->owner;
        if (!owner) {
            Error error = refused("The conversation has just ended.");
            asio::co_spawn(entry->executor, refuse(std::move(client), std::move(error), close_for_good), asio::detached);
            return;
        }
        {
            const std::lock_guard lock(entry->directory.mutex_);
            entry->arriving = false;
        }
        owner->window_over_.reset();
        owner->is_waiting_ = false;
        const auto call = owner->on_return;
        if (call) call(Return{std::move(client), std::move(position)});
    }
};

// --- the conversation's side

Waiting::Waiting(Directory& directory, asio::any_io_executor executor, WaitingSettings settings)
    : entry_(std::make_shared<Entry>(directory, std::move(executor), std::move(settings)))
{
    entry_->owner = this;
}

Waiting::~Waiting() { withdraw(); }

std::string Waiting::issue_token()
{
    std::string token = make_id(make_id("resume_"));
    if (entry_->owner) entry_->directory.put_token(entry_, hash_of(token));
    return token;
}

void Waiting::client_lost(bool heard)
{
    if (!entry_->owner || std::exchange(is_waiting_, true)) return;
    watch_window(entry_->settings.window);
    entry_->directory.start_waiting(entry_, heard);
}

void Waiting::watch_window(milliseconds limit)
{
    window_over_ = std::make_unique<net::Deadline>(entry_->executor, limit, [this] {
        if (entry_->directory.forget_unless_claimed(*entry_))
            Entry::give_up(entry_, GivenUp::window_over);
        else
            watch_window(claimed_poll);
    });
}

void Waiting::withdraw()
{
    entry_->owner = nullptr;
    window_over_.reset();
    is_waiting_ = false;
    const std::lock_guard lock(entry_->directory.mutex_);
    entry_->directory.forget(*entry_);
}

milliseconds Waiting::window() const { return entry_->settings.window; }
bool Waiting::is_waiting() const { return is_waiting_; }

// --- the client's side

Claim::~Claim()
{
    if (!entry_) return;
    const std::lock_guard lock(entry_->directory.mutex_);
    entry_->claimed_token.reset();
}

void Claim::hand_over(net::PartedWebSocket client, conversation::Downlink::ClientPosition position)
{
    const auto entry = std::exchange(entry_, nullptr);
    if (!entry) return;
    entry->directory.begin_delivery(*entry);
    asio::post(entry->executor, [entry, client = std::move(client), position = std::move(position)]() mutable {
        Waiting::Entry::deliver(entry, std::move(client), std::move(position));
    });
}

// --- the directory

Result<Claim> Directory::claim(std::string_view token, std::string_view place)
{
    const Hash hash = hash_of(token);
    const std::lock_guard lock(mutex_);
    const auto found = tokens_.find(hash);
    if (found == tokens_.end())
        return refused("This resume token is unknown, was used already, or its conversation has ended.");
    const EntryPtr& entry = found->second;
    if (entry->settings.place != place) return refused("This resume token belongs to a conversation at another address.");
    if (entry->claimed_token) return refused("Another client is coming back with this resume token just now.");
    entry->claimed_token = hash;
    return Claim(entry);
}

std::shared_ptr<void> Directory::take_slot_of_longest_waiting()
{
    EntryPtr entry;
    std::shared_ptr<void> slot;
    {
        const std::lock_guard lock(mutex_);
        entry = drop_longest_waiting();
        if (entry) slot = std::move(entry->slot);
    }
    if (entry) Waiting::Entry::give_up(entry, Waiting::GivenUp::place_wanted);
    return slot;
}

std::size_t Directory::tokens() const
{
    const std::lock_guard lock(mutex_);
    return tokens_.size();
}

std::size_t Directory::waiting() const
{
    const std::lock_guard lock(mutex_);
    return waiting_.size();
}

void Directory::put_token(const EntryPtr& entry, const Hash& token)
{
    const std::lock_guard lock(mutex_);
    if (entry->over) return;
    drop_tokens(*entry);
    entry->token = token;
    tokens_.emplace(token, entry);
}

void Directory::start_waiting(const EntryPtr& entry, bool heard)
{
    EntryPtr given_up;
    {
        const std::lock_guard lock(mutex_);
        // The next client is at the door: its connection is the one that counts.
        if (entry->over || entry->arriving) return;
        if (entry->used_token && !heard) {
            entry->spare_token = entry->used_token;
            tokens_.emplace(*entry->spare_token, entry);
        }
        entry->used_token.reset();
        entry->waiting = true;
        waiting_.push_back(entry);
        if (waiting_.size() > entry->settings.waiting_max) given_up = drop_longest_waiting();
    }
    if (!given_up) return;
    log::info("resume.given_up", {{"hint", "More conversations wait for their clients than resume.waiting_max."}});
    Waiting::Entry::give_up(given_up, Waiting::GivenUp::place_wanted);
}

bool Directory::forget_unless_claimed(Waiting::Entry& entry)
{
    const std::lock_guard lock(mutex_);
    if (entry.claimed_token || entry.arriving) return false;
    forget(entry);
    return true;
}

void Directory::begin_delivery(Waiting::Entry& entry)
{
    const std::lock_guard lock(mutex_);
    drop_tokens(entry);
    entry.used_token = std::exchange(entry.claimed_token, std::nullopt);
    entry.arriving = true;
    if (std::exchange(entry.waiting, false)) std::erase_if(waiting_, [&](const EntryPtr& each) { return each.get() == &entry; });
}

void Directory::forget(Waiting::Entry& entry)
{
    if (std::exchange(entry.over, true)) return;
    drop_tokens(entry);
    entry.slot.reset();
    if (std::exchange(entry.waiting, false)) std::erase_if(waiting_, [&](const EntryPtr& each) { return each.get() == &entry; });
}

void Directory::drop_tokens(Waiting::Entry& entry)
{
    if (entry.token) tokens_.erase(*entry.token);
    if (entry.spare_token) tokens_.erase(*entry.spare_token);
    entry.token.reset();
    entry.spare_token.reset();
}

/// The one whose client is on its way stays.
Directory::EntryPtr Directory::drop_longest_waiting()
{
    const auto longest = std::ranges::find_if(waiting_, [](const EntryPtr& each) { return !each->claimed_token; });
    if (longest == waiting_.end()) return nullptr;
    const EntryPtr entry = *longest;
    std::shared_ptr<void> slot = std::move(entry->slot);
    forget(*entry);
    entry->slot = std::move(slot);
    return entry;
}

}  // namespace repartee::relay
