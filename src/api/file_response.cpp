#include "file_response.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>

namespace repartee::api {
namespace {

struct ByteRange {
    std::uint64_t offset = 0, bytes = 0;
};

std::optional<std::uint64_t> read_number(std::string_view text)
{
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return number;
}

enum class RangeAnswer { whole, part, unsatisfiable };

// One range of RFC 9110; several, or a malformed header, mean the whole file, as the RFC allows.
RangeAnswer read_range(std::string_view header, std::uint64_t size, ByteRange& range)
{
    range = {0, size};
    if (!header.starts_with("bytes=") || header.find(',') != std::string_view::npos) return RangeAnswer::whole;
    header.remove_prefix(6);
    const std::size_t dash = header.find('-');
    if (dash == std::string_view::npos) return RangeAnswer::whole;
    const auto first = read_number(header.substr(0, dash));
    const auto last = read_number(header.substr(dash + 1));
    if (!first && !last) return RangeAnswer::whole;
    if (!first) {
        if (*last == 0 || size == 0) return RangeAnswer::unsatisfiable;
        const std::uint64_t bytes = std::min(*last, size);
        range = {size - bytes, bytes};
        return RangeAnswer::part;
    }
    if (*first >= size) return RangeAnswer::unsatisfiable;
    if (last && *last < *first) return RangeAnswer::whole;
    const std::uint64_t end = last ? std::min(*last, size - 1) : size - 1;
    range = {*first, end - *first + 1};
    return RangeAnswer::part;
}

}  // namespace

std::optional<net::Response> file_response(const std::string& path, std::string content_type, const net::Request& request)
{
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
    const auto size = static_cast<std::uint64_t>(status.st_size);
    const std::string etag = fmt::format("\"{:x}-{:x}-{:x}\"", size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec);

    net::Response response;
    response.headers = {{"ETag", etag}, {"Accept-Ranges", "bytes"}, {"Cache-Control", "no-cache"}};
    if (request.header("if-none-match") == etag) {
        response.status = 304;
        return response;
    }
    ByteRange range{0, size};
    RangeAnswer answer = RangeAnswer::whole;
    const std::string_view if_range = request.header("if-range");
    if (if_range.empty() || if_range == etag) answer = read_range(request.header("range"), size, range);
    if (answer == RangeAnswer::unsatisfiable) {
        response.status = 416;
        response.headers.emplace_back("Content-Range", fmt::format("bytes */{}", size));
        return response;
    }
    if (answer == RangeAnswer::part) {
        response.status = 206;
        response.headers.emplace_back("Content-Range", fmt::format("bytes {}-{}/{}", range.offset, range.offset + range.bytes - 1, size));
    }
    response.headers.emplace_back("Content-Type", std::move(content_type));
    response.file = path;
    response.file_offset = range.offset;
    response.file_bytes = range.bytes;
    return response;
}

}  // namespace repartee::api
