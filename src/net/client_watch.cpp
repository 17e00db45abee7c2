#include "client_watch.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include <algorithm>
#include <utility>

namespace repartee::net {
namespace {

constexpr std::size_t piece_bytes = 4 << 10;

}  // namespace

struct ClientWatch::State {
    ByteStream& stream;
    boost::beast::flat_buffer& buffer;
    const std::size_t buffer_bytes_max;
    std::stop_source left{};
    bool over = false;

    State(ByteStream& watched, boost::beast::flat_buffer& into, std::size_t bytes_max)
        : stream(watched), buffer(into), buffer_bytes_max(bytes_max)
    {
    }

    /// Reads all that is there. False: there is no use in watching on.
    bool take()
    {
        while (buffer.size() < buffer_bytes_max) {
            const auto prepared = buffer.prepare(std::min(buffer_bytes_max - buffer.size(), piece_bytes));
            const auto n = stream.try_read({static_cast<std::byte*>(prepared.data()), prepared.size()});
            if (!n) left.request_stop();
            if (!n) return false;
            if (*n == 0) return true;
            buffer.commit(*n);
        }
        return false;
    }

    static awaitable<void> watch(std::shared_ptr<State> state)
    {
        while (!state->over && state->take()) co_await state->stream.wait_readable();
    }
};

// The task may end a moment after its owner: by then it holds its own state and looks at nothing else.
ClientWatch::ClientWatch(ByteStream& stream, boost::beast::flat_buffer& buffer, std::size_t buffer_bytes_max)
    : state_(std::make_shared<State>(stream, buffer, buffer_bytes_max))
{
    asio::co_spawn(stream.executor(), State::watch(state_), asio::detached);
}

std::stop_token ClientWatch::gone() const { return state_->left.get_token(); }

void ClientWatch::end()
{
    if (std::exchange(state_->over, true)) return;
    state_->stream.cancel_read();
}

}  // namespace repartee::net
