# Parses scripts with PowerShell's own parser and prints a line "FILE:LINE: finding"
# for each thing that Windows PowerShell 5.1 on Windows Server 2016 would not run,
# and for each violation of the rules for farmtrust's scripts.
#
# It reads the folder in FARMTRUST_CHECK. The *.ps1 files directly in it are scripts,
# which have to follow more rules than those in the folders below. It needs
# PowerShell 7.

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'

$commands = ConvertFrom-Json -InputObject ([System.IO.File]::ReadAllText((Join-Path -Path $PSScriptRoot -ChildPath 'commands.json')))
$types = ConvertFrom-Json -InputObject ([System.IO.File]::ReadAllText((Join-Path -Path $PSScriptRoot -ChildPath 'types.json')))
$common = 'ErrorAction', 'ErrorVariable', 'WarningAction', 'OutVariable', 'Verbose'
# The only commands whose name is not a plain word: texts that came over standard
# input, and programs for which there is no command.
$namedAtRunTime = '$script', '([ScriptBlock]::Create([Text.Encoding]::UTF8.GetString($d, 4, $n)))', '"$env:SystemRoot\System32\iisreset.exe"',
    '"$env:SystemRoot\System32\netsh.exe"'
$compiles = 'dispatch.ps1', 'bootstrap.ps1'
$secrets = 'FarmTrustSecrets', 'password', 'chars', 'secret'
# Syntax that Windows PowerShell 5.1 does not parse.
$newer = @{ TernaryExpressionAst = 'ternary operator'; PipelineChainAst = '&& or ||' }
$newerOperators = 'QuestionQuestion', 'QuestionQuestionEquals'
$accelerators = @{
    string = 'System.String'; int = 'System.Int32'; long = 'System.Int64'; bool = 'System.Boolean'; byte = 'System.Byte'
    char = 'System.Char'; datetime = 'System.DateTime'; timespan = 'System.TimeSpan'; object = 'System.Object'; guid = 'System.Guid'
    version = 'System.Version'; array = 'System.Array'; nullable = 'System.Nullable`1'
    scriptblock = 'System.Management.Automation.ScriptBlock'; pscustomobject = 'System.Management.Automation.PSCustomObject'
    psobject = 'System.Management.Automation.PSObject'; 'system.collections.generic.list' = 'System.Collections.Generic.List`1'
}
# Words in brackets that are not types.
$words = 'void', 'ref', 'switch', 'ordered', 'CmdletBinding', 'Parameter', 'ValidateSet', 'ValidatePattern', 'ValidateNotNullOrEmpty', 'ValidateCount'

# The full name of a type as written, or null when the tables do not have it.
function Find-TypeName {
    param([string] $Written)

    $name = ($Written -replace '\[.*$', '')
    if ($accelerators.ContainsKey($name)) { $name = $accelerators[$name] }
    foreach ($candidate in $name, "System.$name") {
        foreach ($table in $types.framework, $types.documented, $types.others) {
            foreach ($known in $table.PSObject.Properties.Name) { if ($known -eq $candidate) { return $known } }
        }
    }
    return $null
}

function Test-TypeMember {
    param([string] $Type, [string] $Member)

    while ($Type) {
        $known = @()
        foreach ($table in $types.framework, $types.documented, $types.others) {
            if ($null -ne $table.PSObject.Properties[$Type]) { $known = @($table.$Type) }
        }
        if ($Member -in $known -or $Member -eq 'PSObject') { return $true }
        $base = @($known | Where-Object { $_.StartsWith(': ') })
        if ($base.Count -eq 0) { break }
        $Type = $base[0].Substring(2)
    }
    return $Member -in $types.framework.'System.Object'
}

# The type names in a type as written, those of arguments included.
function Get-NamePart {
    param([string] $Written)
    return @($Written -split '[\[\],]' | Where-Object { $_.Trim() -ne '' } | ForEach-Object { $_.Trim() })
}

function Get-Constant {
    param([object] $Ast)
    if ($Ast -is [System.Management.Automation.Language.StringConstantExpressionAst]) { return $Ast.Value }
    return $null
}

# The type that an expression makes, as written, where that is plain to see.
function Get-MadeType {
    param([object] $Ast)

    $text = $Ast.Extent.Text.Trim()
    if ($text -match '^New-Object (?:-TypeName )?([\w.]+)') { return $Matches[1] }
    if ($text -match '^\[([\w.]+)\]::new\(') { return $Matches[1] }
    return $null
}

$findings = New-Object System.Collections.Generic.List[string]
function Add-Finding {
    param([object] $Extent, [string] $Text)
    $findings.Add(('{0}:{1}: {2}' -f $current, $Extent.StartLineNumber, $Text))
}

function Test-Command {
    param([System.Management.Automation.Language.CommandAst] $Ast)

    $name = $Ast.GetCommandName()
    $first = $Ast.CommandElements[0]
    if ($first -isnot [System.Management.Automation.Language.StringConstantExpressionAst]) {
        if ($first.Extent.Text -notin $namedAtRunTime) { Add-Finding $Ast.Extent "command named at run time: $($first.Extent.Text)" }
        return
    }
    foreach ($variable in $Ast.FindAll({ $args[0] -is [System.Management.Automation.Language.VariableExpressionAst] }, $true)) {
        if ($variable.VariablePath.UserPath -in $secrets) { Add-Finding $Ast.Extent "secret bound to a parameter of ${name}: `$$($variable.VariablePath.UserPath)" }
    }
    if ($defined.ContainsKey($name)) { $known = $defined[$name] }
    elseif ($null -ne $commands.windows.PSObject.Properties[$name]) { $known = @($commands.windows.$name) + $common }
    elseif ($null -ne $commands.products.PSObject.Properties[$name]) { $known = @($commands.products.$name) + $common }
    else { Add-Finding $Ast.Extent "unknown command or alias: $name"; return }
    foreach ($element in $Ast.CommandElements) {
        if ($element -is [System.Management.Automation.Language.CommandParameterAst] -and $element.ParameterName -notin $known) {
            Add-Finding $element.Extent "unknown parameter: $name -$($element.ParameterName)"
        }
    }
    if ($name -eq 'New-Object') {
        $type = $Ast.CommandElements[1]
        if ($type -is [System.Management.Automation.Language.CommandParameterAst]) { $type = $Ast.CommandElements[2] }
        $written = Get-Constant $type
        if ($null -eq $written) { Add-Finding $Ast.Extent 'type named at run time' }
        else {
            foreach ($part in Get-NamePart $written) {
                if ($null -eq (Find-TypeName $part)) { Add-Finding $Ast.Extent "unknown type: $part" }
            }
        }
    }
}

# Variables of a function or script whose type is plain to see, by name.
function Get-TypedVariable {
    param([System.Management.Automation.Language.Ast] $Scope)

    $seen = @{}
    foreach ($parameter in $Scope.FindAll({ $args[0] -is [System.Management.Automation.Language.ParameterAst] }, $true)) {
        $type = $parameter.StaticType
        $inner = [System.Nullable]::GetUnderlyingType($type)
        if ($null -ne $inner) { $type = $inner }
        if ($type -ne [object] -and -not $type.IsArray) { $seen[$parameter.Name.VariablePath.UserPath] = $type.FullName }
    }
    foreach ($assignment in $Scope.FindAll({ $args[0] -is [System.Management.Automation.Language.AssignmentStatementAst] }, $true)) {
        if ($assignment.Left -isnot [System.Management.Automation.Language.VariableExpressionAst]) { continue }
        $name = $assignment.Left.VariablePath.UserPath
        $made = Get-MadeType $assignment.Right
        # Assigned from elsewhere as well: not plain to see.
        if ($seen.ContainsKey($name) -and $seen[$name] -ne $made) { $seen[$name] = '' }
        elseif ($null -ne $made) { $seen[$name] = $made }
        else { $seen[$name] = '' }
    }
    return $seen
}

function Test-Member {
    param([System.Management.Automation.Language.MemberExpressionAst] $Ast, [hashtable] $Typed)

    if ($Ast.PSObject.Properties['NullConditional'] -and $Ast.NullConditional) { Add-Finding $Ast.Extent 'needs PowerShell 7: ?.' }
    $member = Get-Constant $Ast.Member
    if ($null -eq $member) { Add-Finding $Ast.Extent "member named at run time: $($Ast.Extent.Text)"; return }
    if ($Ast.Static -and $Ast.Expression -is [System.Management.Automation.Language.TypeExpressionAst]) {
        $written = $Ast.Expression.TypeName.FullName
        if ($written -eq 'ScriptBlock' -and [System.IO.Path]::GetFileName($current) -notin $compiles) { Add-Finding $Ast.Extent 'command built from text: [ScriptBlock]::Create' }
    }
    elseif ($Ast.Expression -is [System.Management.Automation.Language.VariableExpressionAst]) {
        $variable = $Ast.Expression.VariablePath.UserPath
        if (-not $Typed.ContainsKey($variable) -or $Typed[$variable] -eq '') { return }
        $written = $Typed[$variable]
    }
    else { return }
    $type = Find-TypeName $written
    if ($null -ne $type -and -not (Test-TypeMember $type $member)) { Add-Finding $Ast.Extent "unknown member: [$written] $member" }
}

function Test-Script {
    param([System.Management.Automation.Language.ScriptBlockAst] $Ast)

    if ($null -eq $Ast.ParamBlock -or 'CmdletBinding' -notin @($Ast.ParamBlock.Attributes | ForEach-Object { $_.TypeName.FullName })) { Add-Finding $Ast.Extent 'script without [CmdletBinding()]'; return }
    $help = $Ast.GetHelpContent()
    if ($null -eq $help -or -not $help.Synopsis -or $help.Description -notmatch 'Source:') { Add-Finding $Ast.Extent 'script without help that names its source' }
    foreach ($parameter in $Ast.ParamBlock.Parameters) {
        $name = $parameter.Name.VariablePath.UserPath
        if ($null -ne $help -and -not $help.Parameters.ContainsKey($name.ToUpperInvariant())) { Add-Finding $parameter.Extent "parameter without help: $name" }
        if (@($parameter.Attributes | Where-Object { $_ -is [System.Management.Automation.Language.TypeConstraintAst] }).Count -eq 0) { Add-Finding $parameter.Extent "parameter without type: $name" }
    }
    if ($Ast.Extent.Text -notmatch '(?m)^Set-StrictMode -Version 3\.0$') { Add-Finding $Ast.Extent 'script without strict mode' }
    if ($Ast.Extent.Text -notmatch "(?m)^\`$ErrorActionPreference = 'Stop'$") { Add-Finding $Ast.Extent 'script that goes on after errors' }
}

function Test-Text {
    param([string] $Path)

    $bytes = [System.IO.File]::ReadAllBytes($Path)
    $tokens = $null
    $errors = $null
    $ast = [System.Management.Automation.Language.Parser]::ParseFile($Path, [ref] $tokens, [ref] $errors)
    foreach ($problem in $errors) { Add-Finding $problem.Extent $problem.Message }
    foreach ($byte in $bytes) {
        if ($byte -gt 126 -or ($byte -lt 32 -and $byte -ne 10)) { Add-Finding $ast.Extent "not plain ASCII: byte $byte"; break }
    }
    $typed = @{}
    foreach ($node in $ast.FindAll({ $true }, $true)) {
        $kind = $node.GetType().Name
        if ($newer.ContainsKey($kind)) { Add-Finding $node.Extent "needs PowerShell 7: $($newer[$kind])" }
        if ($kind -in 'BinaryExpressionAst', 'AssignmentStatementAst' -and [string] $node.Operator -in $newerOperators) { Add-Finding $node.Extent 'needs PowerShell 7: ??' }
        if ($kind -eq 'IndexExpressionAst' -and $node.NullConditional) { Add-Finding $node.Extent 'needs PowerShell 7: ?[' }
        if ($kind -eq 'CommandAst') { Test-Command $node }
        if ($kind -in 'TypeExpressionAst', 'TypeConstraintAst') {
            foreach ($part in Get-NamePart $node.TypeName.FullName) {
                if ($part -notin $words -and $null -eq (Find-TypeName $part)) { Add-Finding $node.Extent "unknown type: $part" }
            }
        }
        if ($node -is [System.Management.Automation.Language.MemberExpressionAst]) {
            $scope = $node
            while ($null -ne $scope.Parent -and $scope -isnot [System.Management.Automation.Language.FunctionDefinitionAst]) { $scope = $scope.Parent }
            if (-not $typed.ContainsKey($scope)) { $typed[$scope] = Get-TypedVariable $scope }
            Test-Member $node $typed[$scope]
        }
    }
    if ([System.IO.Path]::GetDirectoryName($Path) -eq $root) { Test-Script $ast }
}

$root = (Resolve-Path -Path $env:FARMTRUST_CHECK).Path
$files = @(Get-ChildItem -Path $root -Recurse -File | Where-Object { $_.Name.EndsWith('.ps1') })
# Our own functions and their parameters, over all files: the prelude's serve every script.
$defined = @{}
foreach ($file in $files) {
    $ignored = $null
    $ast = [System.Management.Automation.Language.Parser]::ParseFile($file.FullName, [ref] $ignored, [ref] $ignored)
    foreach ($function in $ast.FindAll({ $args[0] -is [System.Management.Automation.Language.FunctionDefinitionAst] }, $true)) {
        $own = @()
        if ($null -ne $function.Body.ParamBlock) { $own = @($function.Body.ParamBlock.Parameters | ForEach-Object { $_.Name.VariablePath.UserPath }) }
        $defined[$function.Name] = $own + $common
    }
}
foreach ($file in $files) {
    $current = $file.FullName.Substring($root.Length + 1).Replace('\', '/')
    Test-Text $file.FullName
}
foreach ($finding in $findings) { [Console]::Out.WriteLine($finding) }
[Console]::Out.WriteLine("checked $($files.Count)")
