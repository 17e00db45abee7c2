#include "repartee/store/character_repository.hpp"
#include "repartee/characters/fields.hpp"
#include "statement.hpp"

#include <boost/json/parse.hpp>
#include <fmt/format.h>
#include <iterator>

namespace repartee::store {
namespace {

using characters::Character;
using characters::list_fields;
using characters::text_fields;

constexpr int lists_from = static_cast<int>(std::size(text_fields));
constexpr int numbers_from = lists_from + static_cast<int>(std::size(list_fields));
constexpr std::string_view number_columns[] = {"experience_years", "is_preset", "embedded_pitch", "embedded_speed"};

/// All columns of a Character in the order they are bound and read: texts, lists, numbers.
std::vector<std::string> column_names()
{
    std::vector<std::string> names;
    for (const auto& field : text_fields) names.emplace_back(field.name);
    for (const auto& field : list_fields) names.emplace_back(field.name);
    names.insert(names.end(), std::begin(number_columns), std::end(number_columns));
    return names;
}

std::string upsert_sql()
{
    const std::vector<std::string> names = column_names();
    std::string parameters, updates, now, then;
    for (const std::string& name : names) {
        const std::string_view comma = parameters.empty() ? "" : ", ";
        const bool keeps = name == "introduction_audio_url";  // made by a command, so the source files do not know it
        const std::string next = keeps ? "iif(excluded.{0} = '', ai_characters.{0}, excluded.{0})" : "excluded.{0}";
        const std::string value = fmt::format(fmt::runtime(next), name);
        parameters += fmt::format("{}?", comma);
        updates += fmt::format("{}{} = {}", comma, name, value);
        now += fmt::format("{}ai_characters.{}", comma, name);
        then += fmt::format("{}{}", comma, value);
    }
    // The WHERE leaves updated_at alone when nothing changed: files are loaded at every start.
    return fmt::format("INSERT INTO ai_characters ({}) VALUES ({}) ON CONFLICT (id) DO UPDATE SET {}, "
                       "updated_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') WHERE ({}) IS NOT ({})",
                       fmt::join(names, ", "), parameters, updates, now, then);
}

Result<void> bind_character(Statement& statement, const Character& character)
{
    int parameter = 0;
    for (const auto& field : text_fields)
        if (const auto bound = statement.bind(++parameter, character.*field.member); !bound) return bound.error();
    for (const auto& field : list_fields) {
        const auto& items = character.*field.member;
        const std::string text = json::to_text(json::value(json::array(items.begin(), items.end())));
        if (const auto bound = statement.bind(++parameter, text); !bound) return bound.error();
    }
    if (const auto bound = statement.bind(++parameter, std::int64_t{character.experience_years}); !bound) return bound.error();
    if (const auto bound = statement.bind(++parameter, std::int64_t{character.is_preset}); !bound) return bound.error();
    if (const auto bound = statement.bind(++parameter, character.embedded_voice.pitch); !bound) return bound.error();
    return statement.bind(++parameter, character.embedded_voice.speed);
}

Result<std::vector<std::string>> read_list(const std::string& text, const std::string& id, std::string_view column)
{
    const Error damaged{Code::storage, fmt::format("Table ai_characters, row \"{}\": column {} is not a JSON list of strings. "
                                                   "Mend or delete the row.",
                                                   id, column)};
    boost::json::error_code error;
    const json::value parsed = boost::json::parse(text, error);
    if (error || !parsed.is_array()) return damaged;
    std::vector<std::string> items;
    for (const json::value& item : parsed.get_array()) {
        if (!item.is_string()) return damaged;
        items.emplace_back(item.get_string());
    }
    return items;
}

Result<Character> read_character(const Statement& row)
{
    Character character;
    int column = 0;
    for (const auto& field : text_fields) character.*field.member = row.text(column++);
    for (const auto& field : list_fields) {
        auto items = read_list(row.text(column++), character.id, field.name);
        if (!items) return items.error();
        character.*field.member = std::move(*items);
    }
    character.experience_years = static_cast<int>(row.integer(numbers_from));
    character.is_preset = row.integer(numbers_from + 1) != 0;
    character.embedded_voice.pitch = row.real(numbers_from + 2);
    character.embedded_voice.speed = row.real(numbers_from + 3);
    return character;
}

Result<void> upsert_all(sqlite3* db, const std::vector<Character>& characters)
{
    auto transaction = Transaction::begin(db);
    if (!transaction) return transaction.error();
    auto statement = Statement::prepare(db, upsert_sql());
    if (!statement) return statement.error();
    for (const Character& character : characters) {
        if (const auto bound = bind_character(*statement, character); !bound) return bound.error();
        if (const auto written = statement->run(); !written) return written.error();
    }
    return transaction->commit();
}

}  // namespace

Result<void> CharacterRepository::upsert(const std::vector<Character>& characters)
{
    return database_.run([&](sqlite3* db) { return upsert_all(db, characters); });
}

Result<std::vector<Character>> CharacterRepository::all()
{
    std::vector<Character> found;
    const auto read = database_.run([&](sqlite3* db) -> Result<void> {
        auto query = Statement::prepare(db, fmt::format("SELECT {} FROM ai_characters ORDER BY id", fmt::join(column_names(), ", ")));
        if (!query) return query.error();
        for (;;) {
            const auto row = query->step();
            if (!row) return row.error();
            if (!*row) return {};
            auto character = read_character(*query);
            if (!character) return character.error();
            found.push_back(std::move(*character));
        }
    });
    if (!read) return read.error();
    return found;
}

Result<void> CharacterRepository::set_introduction_audio_url(const std::string& id, const std::string& url)
{
    return database_.run([&](sqlite3* db) -> Result<void> {
        const auto changed = change(
            db, "UPDATE ai_characters SET introduction_audio_url = ?, updated_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') WHERE id = ?", url, id);
        if (!changed) return changed.error();
        if (*changed == 0) return Error{Code::not_found, fmt::format("There is no character \"{}\". Load its file first.", id)};
        return {};
    });
}

}  // namespace repartee::store
