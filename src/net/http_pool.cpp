#include "http_pool.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace repartee::net {
namespace {

/// Nobody sends on an idle connection: a byte is as much an end of it as the end itself.
bool is_alive(ByteStream& stream)
{
    std::array<std::byte, 1> byte;
    const auto n = stream.try_read(byte);
    return n && *n == 0;
}

}  // namespace

HttpPool::HttpPool(asio::any_io_executor executor, std::size_t idle_max, std::size_t idle_total_max, milliseconds idle_limit)
    : timer_(std::move(executor)), idle_max_(idle_max), idle_total_max_(idle_total_max), idle_limit_(idle_limit)
{
}

std::unique_ptr<HttpConnection> HttpPool::take(const std::string& key)
{
    for (std::size_t i = idle_.size(); i-- > 0;) {
        if (idle_[i].connection->key != key) continue;
        auto taken = std::move(idle_[i].connection);
        idle_.erase(idle_.begin() + static_cast<std::ptrdiff_t>(i));
        if (is_alive(taken->stream)) return taken;
    }
    return nullptr;
}

void HttpPool::make_room_for(const std::string& key)
{
    const auto has_key = [&key](const Idle& each) { return each.connection->key == key; };
    if (static_cast<std::size_t>(std::ranges::count_if(idle_, has_key)) >= idle_max_)
        idle_.erase(std::ranges::find_if(idle_, has_key));
    else if (idle_.size() >= idle_total_max_)
        idle_.erase(idle_.begin());
}

void HttpPool::put(std::unique_ptr<HttpConnection> connection)
{
    if (closed_ || idle_max_ == 0 || idle_total_max_ == 0 || !is_alive(connection->stream)) return;
    make_room_for(connection->key);
    Idle idle{std::move(connection), std::chrono::steady_clock::now()};
    idle_.push_back(std::move(idle));
    arm();
}

void HttpPool::arm()
{
    if (armed_ || idle_.empty()) return;
    armed_ = true;
    timer_.expires_at(idle_.front().since + idle_limit_);
    timer_.async_wait([weak = weak_from_this()](boost::system::error_code) {
        if (const auto self = weak.lock()) self->reap();
    });
}

void HttpPool::reap()
{
    armed_ = false;
    const Instant now = std::chrono::steady_clock::now();
    std::erase_if(idle_, [&](const Idle& each) { return now - each.since >= idle_limit_ || !is_alive(each.connection->stream); });
    arm();
}

void HttpPool::close()
{
    closed_ = true;
    idle_.clear();
    timer_.cancel();
}

}  // namespace repartee::net
