#include "admission.hpp"
#include "handlers.hpp"
#include "respond.hpp"

#include "repartee/base/embedded_assets.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <optional>

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

net::Response file_response(const std::string& path, std::string content_type, const net::Request& request)
{
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode))
        return respond_error({Code::not_found, "This introduction has not been made yet. Make it with: repartee introductions"});
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

std::string_view type_of(std::string_view name)
{
    if (name.ends_with(".html")) return "text/html; charset=utf-8";
    if (name.ends_with(".js")) return "text/javascript; charset=utf-8";
    if (name.ends_with(".css")) return "text/css; charset=utf-8";
    if (name.ends_with(".svg")) return "image/svg+xml";
    return "application/octet-stream";
}

// The page is made of files of this server and nothing else: no inline code, no other host, no HTML out of strings.
constexpr std::string_view content_security_policy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; media-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

const EmbeddedAsset* find_asset(const std::string& path)
{
    const auto assets = embedded_assets();
    const auto found = std::ranges::find(assets, path, &EmbeddedAsset::path);
    return found == assets.end() ? nullptr : &*found;
}

net::Response embedded_response(const std::string& name, const net::Request& request)
{
    const EmbeddedAsset* asset = find_asset("web/" + name);
    if (!asset || name.ends_with(".gz")) return respond_error({Code::not_found, "There is no page file of that name."});
    const EmbeddedAsset* compressed = nullptr;
    if (request.header("accept-encoding").find("gzip") != std::string_view::npos) compressed = find_asset("web/" + name + ".gz");
    const std::string_view bytes = compressed ? compressed->bytes : asset->bytes;
    const std::string etag = fmt::format("\"{:x}\"", std::hash<std::string_view>{}(bytes));

    net::Response response;
    response.headers = {{"ETag", etag},
                        {"Cache-Control", "no-cache"},
                        {"Vary", "Accept, Accept-Encoding"},
                        {"X-Content-Type-Options", "nosniff"},
                        {"Referrer-Policy", "no-referrer"},
                        {"Permissions-Policy", "microphone=(self), camera=(), geolocation=()"},
                        {"Content-Security-Policy", std::string(content_security_policy)}};
    if (request.header("if-none-match") == etag) {
        response.status = 304;
        return response;
    }
    response.headers.emplace_back("Content-Type", std::string(type_of(name)));
    if (compressed) response.headers.emplace_back("Content-Encoding", "gzip");
    response.body = bytes;
    return response;
}

}  // namespace

net::Reply get_introduction_audio(Services& services, net::Request&& request, const PathParams& params)
{
    // Only ids of the catalogue reach the file system.
    const auto character = find_character(services.shared, params.at("id"));
    if (!character) return respond_refusal(character.error());
    return file_response(services.shared.settings.audio_dir + "/" + (*character)->id + "_intro.mp3", "audio/mpeg", request);
}

net::Reply get_page(Services& services, net::Request&& request, const PathParams&)
{
    if (request.header("accept").find("text/html") != std::string_view::npos) return embedded_response("index.html", request);
    net::Response response =
        respond_json(200, {{"message", "Repartee: voice conversations with AI characters. Characters: /api/v1/characters, talk: /ws/conversations/{character_id}."},
                           {"version", services.shared.settings.version}});
    response.headers.emplace_back("Vary", "Accept");
    return response;
}

net::Reply get_page_file(Services&, net::Request&& request, const PathParams& params)
{
    const auto folder = params.find("folder");
    return embedded_response((folder == params.end() ? std::string() : folder->second + "/") + params.at("file"), request);
}

}  // namespace repartee::api
