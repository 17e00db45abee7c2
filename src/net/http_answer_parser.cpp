#include "http_answer_parser.hpp"

#include "http_parsing.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/none.hpp>

#include <utility>

namespace repartee::net {
namespace {

constexpr int interim_answers_max = 8;

}  // namespace

HttpAnswerParser::HttpAnswerParser(bool without_body, std::size_t header_bytes_max)
    : without_body_(without_body), header_bytes_max_(header_bytes_max)
{
    begin();
}

void HttpAnswerParser::begin()
{
    parser_.emplace();
    parser_->eager(true);
    parser_->header_limit(static_cast<std::uint32_t>(header_bytes_max_));
    parser_->body_limit(boost::none);  // a body is handed out in pieces: what is too much of it, its reader knows
    if (without_body_) parser_->skip(true);
}

bool HttpAnswerParser::is_interim() const
{
    return parser_->is_header_done() && parser_->get().result_int() / 100 == 1;
}

bool HttpAnswerParser::fail(std::string reason)
{
    error_ = std::move(reason);
    return false;
}

bool HttpAnswerParser::feed(std::string_view bytes)
{
    if (!bytes.empty()) got_some_ = true;
    unparsed_ += bytes;
    while (!unparsed_.empty() && !complete()) {
        boost::beast::error_code ec;
        const std::size_t used = put_received(*parser_, boost::asio::buffer(unparsed_), header_bytes_max_, ec);
        unparsed_.erase(0, used);
        if (ec) return fail(ec.message());
        if (used == 0 && !parser_->is_done()) return true;
        if (!parser_->is_done() || !is_interim()) continue;
        if (status() == 101) return fail("it changes to a protocol that nobody asked for");
        if (++interim_answers_ > interim_answers_max) return fail("too many interim answers");
        begin();
    }
    return true;
}

bool HttpAnswerParser::feed_end()
{
    if (complete()) return true;
    if (!parser_->got_some()) return fail("the connection ended before it");
    boost::beast::error_code ec;
    parser_->put_eof(ec);
    if (ec) return fail(ec.message());
    return complete() || fail("the connection ended before it");
}

bool HttpAnswerParser::leaves_usable() const
{
    return complete() && unparsed_.empty() && parser_->get().version() == 11 && parser_->keep_alive();
}

std::string_view HttpAnswerParser::header(std::string_view name) const
{
    if (!parser_->is_header_done()) return {};
    const auto value = parser_->get()[boost::beast::string_view(name.data(), name.size())];
    return {value.data(), value.size()};
}

void HttpAnswerParser::take_body(std::string& piece)
{
    piece.clear();
    std::swap(piece, parser_->get().body());
}

}  // namespace repartee::net
