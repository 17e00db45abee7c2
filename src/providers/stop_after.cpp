#include "repartee/providers/stop_after.hpp"

#include <fmt/format.h>

namespace repartee::providers {

StopAfter::StopAfter(asio::any_io_executor executor, std::chrono::milliseconds limit, Stop outer)
    : limit_(limit), on_outer_(std::move(outer), [this] { source_.request_stop(); })
{
    if (limit_.count() <= 0) return;
    deadline_.emplace(std::move(executor), limit_, [this] {
        if (source_.stop_requested()) return;
        expired_ = true;
        source_.request_stop();
    });
}

Error StopAfter::explain(const Error& error, std::string_view what) const
{
    if (!expired_ || error.code != Code::cancelled) return error;
    return Error{Code::timeout, fmt::format("{} took longer than {} ms. Try again, or raise the limit.", what, limit_.count())};
}

}  // namespace repartee::providers
