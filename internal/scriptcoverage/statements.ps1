# Lists the statements of the scripts below a folder that the engine can break
# at: what stands in a block, and what a compound statement decides by. One a
# line: file, line, column, function and text, with tabulators between.
param([Parameter(Mandatory = $true)] [string] $Root)

Set-StrictMode -Version 3.0
$ErrorActionPreference = 'Stop'
$carriers = 'ReturnStatementAst', 'ThrowStatementAst', 'ExitStatementAst'
$places = $carriers + @('StatementBlockAst', 'NamedBlockAst', 'IfStatementAst', 'SwitchStatementAst',
    'ForEachStatementAst', 'ForStatementAst', 'WhileStatementAst', 'DoWhileStatementAst', 'DoUntilStatementAst')

# The engine breaks at the value of a return, not at the word.
function Test-Statement {
    param([object] $Node)

    $kind = $Node.GetType().Name
    if ($Node -is [System.Management.Automation.Language.PipelineBaseAst]) {
        return $kind -ne 'ErrorStatementAst' -and $Node.Parent.GetType().Name -in $places
    }
    if ($kind -in $carriers) { return $null -eq $Node.Pipeline }
    return $kind -in 'BreakStatementAst', 'ContinueStatementAst'
}

function Get-FunctionName {
    param([object] $Node)

    for ($up = $Node; $null -ne $up; $up = $up.Parent) {
        if ($up -is [System.Management.Automation.Language.FunctionDefinitionAst]) { return $up.Name }
    }
    return '-'
}

foreach ($path in [System.IO.Directory]::GetFiles($Root, '*.ps1', 'AllDirectories')) {
    $tree = [System.Management.Automation.Language.Parser]::ParseFile($path, [ref] $null, [ref] $null)
    foreach ($node in $tree.FindAll({ param($one) $one -is [System.Management.Automation.Language.StatementAst] }, $true)) {
        if (-not (Test-Statement -Node $node)) { continue }
        $text = $node.Extent.Text.Split("`n")[0].Trim()
        $file = $path.Substring($Root.Length).TrimStart('\', '/').Replace('\', '/')
        $file, $node.Extent.StartLineNumber, $node.Extent.StartColumnNumber, (Get-FunctionName -Node $node), $text -join "`t"
    }
}
