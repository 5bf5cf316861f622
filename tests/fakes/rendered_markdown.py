"""The elements and attributes that a rendered text may have."""

TAGS = {
    *("p", "pre", "code", "span", "a", "em", "strong", "s", "br", "hr", "blockquote"),
    *("ul", "ol", "li", "table", "thead", "tbody", "tr", "th", "td", "h3", "h4", "h5", "h6"),
}
ATTRIBUTES = {"class", "href", "target", "rel", "data-language", "start"}
