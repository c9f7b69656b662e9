package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// flagError says what is wrong with a flag, and what to give instead.
func flagError(command *cobra.Command, err error) *usageError {
	help := fmt.Sprintf("; see '%s --help'", command.CommandPath())
	if invalid, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		flag, large := invalid.GetFlag(), ""
		if errors.Is(err, strconv.ErrRange) {
			large = ", which is out of range"
		}
		return &usageError{fmt.Sprintf("--%s is %q%s; give %s%s", flag.Name, invalid.GetValue(), large, valuesOf(flag), help)}
	}
	if missing, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		flag := missing.GetFlag()
		if strings.HasPrefix(flag.Value.Type(), "string") {
			return &usageError{fmt.Sprintf("--%s needs a value: %s%s", flag.Name, flag.Usage, help)}
		}
		return &usageError{fmt.Sprintf("--%s needs a value; give %s%s", flag.Name, valuesOf(flag), help)}
	}
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok {
		name := "--" + unknown.GetSpecifiedName()
		if root := command.Root().Name(); name == "--version" {
			return &usageError{fmt.Sprintf("only '%s --version' takes --version, without a command; see '%s --help'", root, root)}
		}
		if letters := unknown.GetSpecifiedShortnames(); letters != "" {
			if name = "-" + unknown.GetSpecifiedName(); "-"+letters != name {
				name += " in -" + letters
			}
		}
		return &usageError{fmt.Sprintf("there is no flag %s; put -- before a name that begins with a dash%s", name, help)}
	}
	return &usageError{fmt.Sprintf("%v%s", err, help)}
}

// valuesOf says what a flag takes.
func valuesOf(flag *pflag.Flag) string {
	switch flag.Value.Type() {
	case "int32Slice":
		return "whole numbers with commas between, such as 2,3"
	case "int", "int32", "int64":
		return "a whole number"
	case "float64":
		return "a number"
	case "duration":
		return "a number with its unit, such as 500ms, 30s or 5m"
	case "bool":
		return "true or false, or no value for true"
	case "stringSlice":
		return "one or more with commas between, and quotes in pairs"
	}
	return "one after it"
}
