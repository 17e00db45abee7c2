#include "repartee/net/multipart.hpp"

#include <algorithm>

namespace repartee::net {
namespace {

constexpr std::size_t boundary_chars_max = 70;  // RFC 2046, 5.1.1
constexpr std::string_view white = " \t";

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool equal_ignoring_case(std::string_view a, std::string_view b)
{
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view trimmed(std::string_view text)
{
    const std::size_t first = text.find_first_not_of(white);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(white) - first + 1);
}

Error malformed(std::string_view what, std::size_t at)
{
    return Error{Code::invalid_value, "The form is malformed at byte " + std::to_string(at) + ": " + std::string(what) +
                                          ". Send multipart/form-data as curl -F or a browser does."};
}

// --- header values with parameters

struct Parameter {
    std::string_view name;
    std::string_view value;  ///< without its quotes, escapes still in it
};

/// Walks over "value; name=token; name="quoted"".
class Parameters {
public:
    explicit Parameters(std::string_view text) : rest_(text)
    {
        value_ = trimmed(rest_.substr(0, rest_.find(';')));
        rest_.remove_prefix(std::min(rest_.size(), rest_.find(';')));
    }

    std::string_view value() const { return value_; }

    std::optional<Parameter> next()
    {
        while (!rest_.empty() && (rest_.front() == ';' || white.find(rest_.front()) != std::string_view::npos)) rest_.remove_prefix(1);
        if (rest_.empty()) return std::nullopt;
        const std::size_t name_end = std::min(rest_.find_first_of("=;"), rest_.size());
        Parameter parameter{trimmed(rest_.substr(0, name_end)), {}};
        rest_.remove_prefix(name_end);
        if (rest_.empty() || rest_.front() == ';') return parameter;
        rest_.remove_prefix(1);
        rest_.remove_prefix(std::min(rest_.find_first_not_of(white), rest_.size()));
        parameter.value = rest_.starts_with('"') ? take_quoted() : take_token();
        return parameter;
    }

private:
    std::string_view take_quoted()
    {
        rest_.remove_prefix(1);
        std::size_t end = 0;
        while (end < rest_.size() && rest_[end] != '"') end += is_escape(end) ? 2 : 1;
        end = std::min(end, rest_.size());
        const auto taken = rest_.substr(0, end);
        rest_.remove_prefix(std::min(end + 1, rest_.size()));
        rest_.remove_prefix(std::min(rest_.find(';'), rest_.size()));
        return taken;
    }

    /// Only these two: others are a path of Windows.
    bool is_escape(std::size_t at) const { return rest_[at] == '\\' && at + 1 < rest_.size() && (rest_[at + 1] == '"' || rest_[at + 1] == '\\'); }

    std::string_view take_token()
    {
        const std::size_t end = std::min(rest_.find(';'), rest_.size());
        const auto taken = trimmed(rest_.substr(0, end));
        rest_.remove_prefix(end);
        return taken;
    }

    std::string_view value_, rest_;
};

int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (lower(c) >= 'a' && lower(c) <= 'f') return lower(c) - 'a' + 10;
    return -1;
}

/// nullopt: an escape is malformed.
std::optional<std::string> percent_decoded(std::string_view text)
{
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') {
            out += text[i];
            continue;
        }
        if (text.size() - i < 3 || hex_value(text[i + 1]) < 0 || hex_value(text[i + 2]) < 0) return std::nullopt;
        out += static_cast<char>(hex_value(text[i + 1]) * 16 + hex_value(text[i + 2]));
        i += 2;
    }
    return out;
}

/// What clients do to a file name in quotes: \" and \\, or %22, %0D and %0A.
std::string unquoted(std::string_view text)
{
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto next = text.substr(i + 1, 1);
        if (text[i] == '\\' && (next == "\"" || next == "\\")) {
            out += text[++i];
            continue;
        }
        const auto escape = text.substr(i, 3);
        if (escape == "%22" || escape == "%0D" || escape == "%0A") {
            out += escape == "%22" ? '"' : escape == "%0D" ? '\r' : '\n';
            i += 2;
            continue;
        }
        out += text[i];
    }
    return out;
}

/// RFC 5987: charset'language'percent-encoded; only UTF-8.
std::optional<std::string> extended_value(std::string_view text)
{
    const std::size_t charset_end = text.find('\'');
    if (charset_end == std::string_view::npos || !equal_ignoring_case(text.substr(0, charset_end), "utf-8")) return std::nullopt;
    const std::size_t language_end = text.find('\'', charset_end + 1);
    if (language_end == std::string_view::npos) return std::nullopt;
    return percent_decoded(text.substr(language_end + 1));
}

Result<std::string> boundary_of(std::string_view content_type)
{
    Parameters parameters(content_type);
    if (!equal_ignoring_case(parameters.value(), "multipart/form-data"))
        return Error{Code::unsupported_content, "The request's Content-Type is not multipart/form-data. Send a form, as curl -F or a browser does."};
    std::string boundary;
    while (const auto parameter = parameters.next())
        if (boundary.empty() && equal_ignoring_case(parameter->name, "boundary")) boundary = unquoted(parameter->value);
    const bool sound = !boundary.empty() && boundary.size() <= boundary_chars_max && boundary.back() != ' ' &&
                       std::ranges::all_of(boundary, [](char c) { return c >= 0x20 && c < 0x7f; });
    if (!sound) return Error{Code::invalid_value, "The form's boundary must be 1 to 70 visible characters in the Content-Type header. Give one."};
    return boundary;
}

// --- the body

/// A line that begins with "--boundary".
struct Delimiter {
    std::size_t begin = 0, end = 0;  ///< from its first '-' up to behind its line end
    bool last = false;
};

/// Looks only at the beginnings of lines, so that no body makes it slow.
class Scanner {
public:
    Scanner(std::string_view body, const std::string& boundary) : body_(body), mark_("--" + boundary) {}

    std::optional<Delimiter> next(std::size_t from) const
    {
        std::size_t line = from;
        for (;;) {
            if (const auto found = at(line)) return found;
            const std::size_t newline = body_.find('\n', line);
            if (newline == std::string_view::npos) return std::nullopt;
            line = newline + 1;
        }
    }

    /// What stands before a delimiter: the line end in front of it belongs to it.
    std::string_view content(std::size_t begin, const Delimiter& delimiter) const
    {
        std::size_t end = delimiter.begin;
        if (end > begin && body_[end - 1] == '\n') --end;
        if (end > begin && body_[end - 1] == '\r') --end;
        return body_.substr(begin, end - begin);
    }

private:
    std::optional<Delimiter> at(std::size_t line) const
    {
        if (!body_.substr(line).starts_with(mark_)) return std::nullopt;
        std::size_t behind = line + mark_.size();
        Delimiter found{line, behind, body_.substr(behind, 2) == "--"};
        if (found.last) return found;
        behind = std::min(body_.find_first_not_of(white, behind), body_.size());
        if (body_.substr(behind, 1) == "\r") ++behind;
        if (body_.substr(behind, 1) != "\n") return std::nullopt;
        found.end = behind + 1;
        return found;
    }

    std::string_view body_;
    std::string mark_;
};

void take_disposition(std::string_view value, FormPart& part, bool& named)
{
    Parameters parameters(value);
    if (!equal_ignoring_case(parameters.value(), "form-data")) return;
    std::optional<std::string> extended;
    while (const auto parameter = parameters.next()) {
        if (equal_ignoring_case(parameter->name, "name")) {
            part.name = parameter->value;
            named = true;
        } else if (equal_ignoring_case(parameter->name, "filename")) {
            part.file_name = unquoted(parameter->value);
        } else if (equal_ignoring_case(parameter->name, "filename*")) {
            extended = extended_value(parameter->value);
        }
    }
    if (extended) part.file_name = std::move(extended);
}

/// Reads the headers of a part and moves `at` behind them.
Result<FormPart> part_head(std::string_view body, std::size_t& at, std::size_t header_bytes_max)
{
    const std::size_t begin = at;
    FormPart part;
    bool named = false;
    for (;;) {
        const std::size_t newline = body.find('\n', at);
        if (std::min(newline, body.size()) - begin > header_bytes_max) return malformed("the header of a part is too long", begin);
        if (newline == std::string_view::npos) return malformed("it ends amid the header of a part", body.size());
        std::string_view line = body.substr(at, newline - at);
        if (line.ends_with('\r')) line.remove_suffix(1);
        const std::size_t line_begin = at;
        at = newline + 1;
        if (line.empty()) break;
        const std::size_t colon = line.find(':');
        if (colon == std::string_view::npos) return malformed("a header line without a colon", line_begin);
        const auto header = trimmed(line.substr(0, colon));
        const auto value = trimmed(line.substr(colon + 1));
        if (equal_ignoring_case(header, "content-disposition")) take_disposition(value, part, named);
        if (equal_ignoring_case(header, "content-type")) part.content_type = value;
    }
    if (!named) return malformed("a part without 'Content-Disposition: form-data; name=…'", begin);
    return part;
}

}  // namespace

Result<std::vector<FormPart>> parse_multipart(std::string_view content_type, std::string_view body, const FormLimits& limits)
{
    const auto boundary = boundary_of(content_type);
    if (!boundary) return boundary.error();
    const Scanner scanner(body, *boundary);
    auto delimiter = scanner.next(0);
    if (!delimiter) return malformed("the boundary that the Content-Type names does not occur", 0);
    std::vector<FormPart> parts;
    while (!delimiter->last) {
        if (parts.size() == limits.parts_max)
            return Error{Code::too_large, "The form has more than " + std::to_string(limits.parts_max) + " parts. Send fewer."};
        std::size_t at = delimiter->end;
        auto part = part_head(body, at, limits.part_header_bytes_max);
        if (!part) return part.error();
        delimiter = scanner.next(at);
        if (!delimiter) return malformed("the last boundary is missing; the upload was cut off", body.size());
        part->bytes = scanner.content(at, *delimiter);
        parts.push_back(std::move(*part));
    }
    return parts;
}

const FormPart* find_part(const std::vector<FormPart>& parts, std::string_view name)
{
    const auto found = std::ranges::find(parts, name, &FormPart::name);
    return found == parts.end() ? nullptr : &*found;
}

}  // namespace repartee::net
